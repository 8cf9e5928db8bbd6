// Hostile requests over the network: each is refused, and the report names the slowest. What bounds the work is held by
// the tests of the server; this measures it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const many = (count, part) => Array.from({ length: count }, (_, at) => part(at)).join(" ");

const DOCUMENTS = {
  "a fragment bomb of 2^30": `{ deals(first: 1) { nodes { ...f0 } } } ${many(30, (at) => `fragment f${at} on Deal { ...f${at + 1} ...f${at + 1} }`)} fragment f30 on Deal { id }`,
  "four lists of 50 in each other": `{ partners(first: 50) { nodes ${"{ children(first: 50) { nodes ".repeat(3)}{ id }${" } }".repeat(3)} } }`,
  "a page of 2^62": "{ deals(first: 4611686018427387904) { totalCount } }",
  "10,000 aliases": `{ ${many(10_000, (at) => `a${at}:viewer{id}`)} }`,
  "3,500 aliases in 60 KB": `{ ${many(3_500, (at) => `a${at}:viewer{id}`)} }`,
  "20,000 fields": `{ viewer { ${"id ".repeat(20_000)} } }`,
  "10,000 directives": `{ viewer { id ${"@a".repeat(10_000)} } }`,
  "400 KB of nested fields": "{a".repeat(200_000),
  "400 KB of nested lists": `{ nodes(ids: ${"[".repeat(400_000)}`,
  "60 KB of nested objects": `{ deals(filter: ${"{a:".repeat(20_000)}`,
  "a chain of 1,500 fragments": `{ ...f0 } ${many(1_500, (at) => `fragment f${at} on Query{...f${at + 1}}`)}`,
  "1,900 unknown fields": `{ viewer { ${many(1_900, (at) => `unknownFieldWithALongName${at}`)} } }`,
  "3,000 unknown arguments": `{ deals(${many(3_000, (at) => `unknown${at}: 1`)}) { totalCount } }`,
  "a name of 60 KB": `{ ${"a".repeat(60_000)} }`,
  "4,000 variables": `query(${many(4_000, (at) => `$v${at}: Int`)}) { viewer { id } }`,
  "3,000 operations": many(3_000, (at) => `query q${at} { viewer { id } }`),
  "introspection in circles": `{ __schema { types ${"{ fields { type ".repeat(5)}{ name }${"} }".repeat(5)} } }`,
  "60 KB of escapes": `{ deal(id: "${"\\u0041".repeat(10_000)}`,
};

const VARIABLES = {
  "a list of 100,000": Array(100_000).fill(1),
  "objects 100 deep": JSON.parse(`${'{"a":'.repeat(100)}1${"}".repeat(100)}`),
};

export async function hostile({ server, serverPid }) {
  const memory = () => {
    if (!serverPid) return 0;
    return Number(readFileSync(`/proc/${serverPid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;
  };
  const requests = Object.entries(DOCUMENTS).map(([name, query]) => [name, JSON.stringify({ query })]);
  for (const [name, v] of Object.entries(VARIABLES)) {
    const query = `query($v: [ID!]!) { ${many(6, (at) => `a${at}: nodes(ids: $v) { id }`)} }`;
    requests.push([name, JSON.stringify({ query, variables: { v } })]);
  }
  requests.push(["20 MB", " ".repeat(20_000_000)]);
  requests.push(["a batch of 1,000", JSON.stringify(Array(1_000).fill({ query: "{ viewer { id } }" }))]);
  requests.push(["500 KB of nested JSON", "[".repeat(500_000)]);
  const before = memory();
  let slowest = ["", 0];
  for (const [name, body] of requests) {
    let best = Infinity;
    for (let round = 0; round < 3; round += 1) {
      const started = performance.now();
      const answer = await fetch(server.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json",
          authorization: `Bearer ${server.token}`,
        },
        body,
      });
      const { data, errors } = await answer.json();
      best = Math.min(best, performance.now() - started);
      assert.equal(data, undefined, `${name} was answered`);
      assert.ok(errors.length > 0 && !errors.some(({ extensions }) => extensions.code === "INTERNAL"), name);
    }
    if (best > slowest[1]) slowest = [name, best];
  }
  await server.read("{ viewer { id } }");
  const grown = memory() - before;
  return `${requests.length} hostile requests refused; the slowest, ${slowest[0]}, in ${slowest[1].toFixed(0)} ms; memory grew by ${grown.toFixed(0)} MB`;
}
