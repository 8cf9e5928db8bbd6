// relay-compiler on the committed schema as it is: every list as a @connection with pagination, every Node refetchable,
// a page written by hand; the compiled operations then run against the server.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { buildSchema, getNamedType, isLeafType } from "graphql";
import { isConnection, needsNothing } from "./documents.mjs";

const capital = (name) => name[0].toUpperCase() + name.slice(1);
const tag = (text) => `graphql\`\n${text}\n\`;\n`;
const leaves = (type) =>
  Object.values(type.getFields())
    .filter((field) => isLeafType(getNamedType(field.type)) && needsNothing(field))
    .map((field) => field.name)
    .join(" ");

/** Modules as a portal would write them, one for each object and each list. */
function modules(schema) {
  const node = schema.getType("Node");
  const objects = schema.getPossibleTypes(node);
  const found = new Map();
  for (const type of objects) {
    const name = `${type.name}Row`;
    found.set(name, tag(`fragment ${name}_row on ${type.name} @refetchable(queryName: "${name}RefetchQuery") { ${leaves(type)} }`));
  }
  for (const owner of [schema.getQueryType(), ...objects]) {
    for (const field of Object.values(owner.getFields())) {
      const connection = getNamedType(field.type);
      if (!isConnection(connection) || !needsNothing(field)) continue;
      const pages = ["first", "after"].every((name) => field.args.some((argument) => argument.name === name));
      if (!pages) throw new Error(`${owner.name}.${field.name} is a connection without first and after`);
      const edge = getNamedType(connection.getFields().edges.type);
      const row = getNamedType(edge.getFields().node.type);
      const name = `${owner.name}${capital(field.name)}List`;
      const what = objects.includes(row) ? `...${row.name}Row_row` : leaves(row);
      let text = tag(`fragment ${name}_list on ${owner.name}
        @argumentDefinitions(first: {type: "Int", defaultValue: 2}, after: {type: "String"})
        @refetchable(queryName: "${name}PaginationQuery") {
          ${field.name}(first: $first, after: $after) @connection(key: "${name}_${field.name}") { edges { node { ${what} } } }
        }`);
      if (owner === schema.getQueryType()) text += tag(`query ${name}Query { ...${name}_list }`);
      found.set(name, text);
    }
  }
  return found;
}

export async function relay({ server, schemaFile }) {
  const schema = buildSchema(readFileSync(schemaFile, "utf8"));
  const folder = mkdtempSync(path.join(import.meta.dirname, "relay-"));
  try {
    const src = path.join(folder, "src");
    mkdirSync(src);
    cpSync(schemaFile, path.join(folder, "schema.graphql"));
    cpSync(path.join(import.meta.dirname, "portal.js"), path.join(src, "Portal.js"));
    const written = modules(schema);
    for (const [name, text] of written) writeFileSync(path.join(src, `${name}.js`), text);
    const config = { src: "./src", schema: "./schema.graphql", language: "javascript", eagerEsModules: true };
    writeFileSync(path.join(folder, "relay.config.json"), JSON.stringify(config));
    const compiler = createRequire(import.meta.url).resolve("relay-compiler/cli.js");
    execFileSync(process.execPath, [compiler, "relay.config.json"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });

    const artifacts = path.join(src, "__generated__");
    const ids = await idsOfTheDemo(server, schema);
    let ran = 0;
    for (const file of readdirSync(artifacts)) {
      // The artifact imports others the way bundlers resolve them; its text is all that goes to the server.
      const artifact = readFileSync(path.join(artifacts, file), "utf8");
      const text = artifact.match(/"text": ("(?:[^"\\]|\\.)*")/)?.[1];
      if (!text || !artifact.includes('"operationKind": "query"')) continue;
      const type = [...ids.keys()].filter((name) => file.startsWith(name)).sort((a, b) => b.length - a.length)[0];
      const id = file.startsWith("Portal") ? ids.get(file.startsWith("PortalPartner") ? "Partner" : "Deal") : ids.get(type);
      const query = JSON.parse(text);
      if (query.includes("$id: ID!") && id === undefined) continue;
      await server.read(query, { first: 2, id, deal: id });
      ran += 1;
    }
    return `${written.size + 1} modules compiled, ${ran} of their operations answered without an error`;
  } catch (fault) {
    throw new Error(`${fault.message}\n${fault.stdout ?? ""}${fault.stderr ?? ""}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One id of each type of the demo, from the lists at the root. */
async function idsOfTheDemo(server, schema) {
  const ids = new Map();
  const node = schema.getType("Node");
  for (const field of Object.values(schema.getQueryType().getFields())) {
    const connection = getNamedType(field.type);
    if (!isConnection(connection) || !needsNothing(field)) continue;
    const row = getNamedType(connection.getFields().nodes.type);
    if (!schema.isSubType(node, row)) continue;
    const data = await server.read(`{ ${field.name}(first: 1) { nodes { id } } }`);
    if (data[field.name].nodes.length > 0) ids.set(row.name, data[field.name].nodes[0].id);
  }
  return ids;
}
