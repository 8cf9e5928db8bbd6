// Holds a running server with the demo to the clients people use:
//   node check.mjs http://127.0.0.1:8080/graphql ../../schema.graphql ../../seeds/demo.graphql [PID OF THE SERVER]
import { audit } from "./audit.mjs";
import { cache } from "./cache.mjs";
import { codegen } from "./codegen.mjs";
import { hostile } from "./hostile.mjs";
import { lint } from "./lint.mjs";
import { relay } from "./relay.mjs";
import { Server } from "./server.mjs";
import { sockets } from "./sockets.mjs";
import { walk } from "./walk.mjs";

const [url, schemaFile, demoFile, serverPid] = process.argv.slice(2);
if (!demoFile) {
  console.error("usage: node check.mjs URL SCHEMA DOCUMENTS [PID]");
  process.exit(2);
}
const server = await Server.signIn(url, "ada@vendor.example", "ensemble-demo-2026");
let failed = false;
for (const check of [audit, lint, codegen, relay, cache, walk, sockets, hostile]) {
  const started = Date.now();
  try {
    const told = await check({ server, schemaFile, demoFile, serverPid });
    console.log(`${check.name}: ${told} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (fault) {
    failed = true;
    console.error(`${check.name}: ${fault.stack ?? fault}`);
  }
}
process.exit(failed ? 1 : 0);
