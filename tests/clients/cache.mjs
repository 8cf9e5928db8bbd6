// Apollo Client's InMemoryCache without any policy but relayStylePagination: what was written is read back, objects are
// one entry per id however they were reached, pages join, and nothing is warned about.
import assert from "node:assert/strict";
import { gql } from "@apollo/client";
import { InMemoryCache } from "@apollo/client/cache/index.js";
import { relayStylePagination } from "@apollo/client/utilities/index.js";
import { getNamedType, isAbstractType } from "graphql";
import { isConnection, needsNothing, selection } from "./documents.mjs";

export async function cache({ server }) {
  const schema = await server.schema();
  const lists = Object.values(schema.getQueryType().getFields()).filter(
    (field) => isConnection(getNamedType(field.type)) && needsNothing(field),
  );
  const possibleTypes = Object.fromEntries(
    Object.values(schema.getTypeMap())
      .filter(isAbstractType)
      .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
  );
  const pages = new InMemoryCache({
    possibleTypes,
    typePolicies: { Query: { fields: Object.fromEntries(lists.map(({ name }) => [name, relayStylePagination()])) } },
  });
  const warnings = [];
  const { warn, error, debug } = console;
  for (const level of ["warn", "error", "debug"]) console[level] = (...words) => warnings.push(words.join(" "));
  try {
    return await fill({ server, schema, lists, pages, warnings });
  } finally {
    Object.assign(console, { warn, error, debug });
  }
}

async function fill({ server, schema, lists, pages, warnings }) {
  let rows = 0;
  for (const field of lists) {
    const text = (what) => `query($first: Int, $after: String) { ${field.name}(first: $first, after: $after) ${what} }`;
    const query = gql(text(selection(schema, getNamedType(field.type), 1)));
    const read = async (variables) => {
      const data = await server.read(query.loc.source.body, variables);
      pages.writeQuery({ query, variables, data });
      return data;
    };
    const first = await read({ first: 5 });
    // The policy words the cursors of an empty page in its own way.
    const rest = ({ pageInfo: { startCursor, endCursor, ...page }, ...list }) => ({ ...list, page });
    const back = pages.readQuery({ query, variables: { first: 5 } });
    assert.deepEqual(rest(back[field.name]), rest(first[field.name]), `${field.name} is not read back as it was written`);
    const { pageInfo, edges } = first[field.name];
    rows += edges.length;
    if (!pageInfo.hasNextPage) continue;
    const second = await read({ first: 2, after: pageInfo.endCursor });
    const both = pages.readQuery({ query, variables: { first: 5 } })[field.name].edges;
    const ids = (edges) => edges.map(({ cursor }) => cursor);
    assert.deepEqual(ids(both), [...ids(edges), ...ids(second[field.name].edges)], `the pages of ${field.name} do not join`);
    rows += second[field.name].edges.length;
  }
  // Each object has one entry under its type and id; the entry of a deal in a list answers for the deal by itself.
  const entries = pages.extract();
  const strays = Object.values(entries).flatMap((entry) => unnormalised(entry));
  assert.deepEqual(strays, [], "objects with an id that have no entry of their own");
  const listed = await server.read("{ deals(first: 1) { nodes { __typename id name } } }");
  const [deal] = listed.deals.nodes;
  const fragment = gql("fragment Name on Deal { __typename id name }");
  assert.deepEqual(pages.readFragment({ id: pages.identify(deal), fragment }), deal);
  assert.deepEqual(warnings, []);
  const objects = Object.keys(entries).filter((key) => key.includes(":")).length;
  assert.ok(objects > 50, `only ${objects} objects`);
  return `${lists.length} lists of ${rows} rows read back, ${objects} objects under their type and id, no warning`;
}

/** What stands inside an entry though it has an id of its own. */
function unnormalised(value, top = true) {
  if (value === null || typeof value !== "object") return [];
  const own = !top && value.id !== undefined && value.__typename !== undefined ? [`${value.__typename}:${value.id}`] : [];
  return [...own, ...Object.values(value).flatMap((part) => unnormalised(part, false))];
}
