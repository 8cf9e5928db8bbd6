// Runs the audits of graphql-http against a running server: node audit.mjs http://127.0.0.1:8080/graphql
import { auditServer } from "graphql-http";
import { buildClientSchema, getIntrospectionQuery, validateSchema } from "graphql";

const url = process.argv[2] ?? "http://127.0.0.1:8080/graphql";
let failed = 0;

const results = await auditServer({ url, fetchFn: fetch });
for (const result of results) {
  if (result.status !== "ok") {
    failed += 1;
    console.error(`${result.status}: ${result.name}: ${result.reason}`);
  }
}
console.log(`graphql-http: ${results.length - failed} of ${results.length} audits passed`);

const answer = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json" },
  body: JSON.stringify({ query: getIntrospectionQuery({ specifiedByUrl: true }) }),
});
const { data, errors } = await answer.json();
if (!data) {
  console.error("introspection was refused", JSON.stringify(errors));
  process.exit(1);
}
const faults = validateSchema(buildClientSchema(data));
for (const fault of faults) console.error(fault.message);
console.log(`graphql-js: the introspected schema has ${faults.length} fault(s)`);

process.exit(failed + faults.length === 0 ? 0 : 1);
