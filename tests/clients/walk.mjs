// The walk of the start page without a browser: its own script, twice, every figure as the page says. Needs the running
// server only, so it also holds where no browser can be installed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Server } from "./server.mjs";

export async function walk({ server }) {
  const address = new URL("/", server.url).href;
  const folder = mkdtempSync(path.join(tmpdir(), "walk-"));
  try {
    const file = path.join(folder, "walk.mjs");
    writeFileSync(file, await (await fetch(`${address}walk.js`)).text());
    const { Walk } = await import(pathToFileURL(file));
    const demo = await (await fetch(`${address}start.json`)).json();
    const people = new Map();
    const ask = async (email, { query, variables }) => {
      if (!people.has(email)) {
        const { password } = demo.people.find((person) => person.email === email);
        people.set(email, await Server.signIn(server.url, email, password));
      }
      return people.get(email).ask(query, variables);
    };
    let figures = 0;
    const customers = [];
    let taken = new Walk(demo, ask);
    for (let round = 1; round <= 3; round += 1) {
      if (round === 2) taken.restart();
      if (round === 3) {
        // Another browser left its walk after the registration; one that knows nothing of it takes a free customer.
        const left = new Walk(demo, ask);
        for (let step = 0; !left.state.saved.registration; step += 1) await left.run(step, 0);
        taken = new Walk(demo, ask);
        customers.push(left.customer.name);
      }
      for (const [step, { acts }] of taken.steps.entries()) {
        for (const [act] of acts.entries()) {
          const answer = await taken.run(step, act);
          assert.ok(answer.done, `step ${step + 1}: ${JSON.stringify(answer.body)}`);
          for (const figure of answer.figures) {
            assert.ok(figure.holds, `step ${step + 1}, ${figure.label}: ${figure.value}, not ${figure.expected}`);
            figures += 1;
          }
          // The same once more changes nothing and answers the same.
          const again = await taken.run(step, act);
          assert.deepEqual(again.figures, answer.figures);
        }
      }
      assert.equal(taken.next, taken.steps.length);
      customers.push(taken.customer.name);
    }
    const [, , left, last] = customers;
    assert.notEqual(last, left);
    return `three walks, the last for ${last} because ${left} was taken: ${figures} figures as the page says`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
