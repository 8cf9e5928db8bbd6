// The schema as introspection tells it, by the rules of graphql-eslint for schemas.
import graphql from "@graphql-eslint/eslint-plugin";
import { ESLint } from "eslint";
import { GraphQLSchema, lexicographicSortSchema, printSchema } from "graphql";

// "schema-all" and the rules of Relay, with these differences.
const DIFFERENT = {
  // The committed schema is sorted by its printer, with types and values in an order of its own.
  alphabetize: "off",
  // Everything has words, not only types and root fields.
  "require-description": [
    "error",
    { types: true, DirectiveDefinition: true, EnumValueDefinition: true, FieldDefinition: true, InputValueDefinition: true, rootField: true },
  ],
  // Connections have `nodes` beside `edges`, and lists that are bounded by nature are plain. A row that is only read
  // within its owner, such as a ledger entry or an audit event, is no Node.
  "relay-edge-types": ["error", { withEdgeSuffix: true, listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
  // Values such as Money, payloads, edges and connections have no identity.
  "strict-id-in-types": "off",
  // This API changes things.
  "no-root-type": "off",
  // A payload tells what changed; what else a client wants to know it asks in a request with a price of its own.
  "require-field-of-type-query-in-mutation-result": "off",
  // A list is never null: what a caller may not see is not in it. Objects that may be hidden are nullable already.
  "require-nullable-result-in-root": "off",
};

// Introspection does not show where these are applied, so they would seem to be used nowhere.
const APPLIED_TO_FIELDS = ["cost", "listSize"];

export async function lint({ server }) {
  const told = (await server.schema()).toConfig();
  const directives = told.directives.filter(({ name }) => !APPLIED_TO_FIELDS.includes(name));
  const text = printSchema(lexicographicSortSchema(new GraphQLSchema({ ...told, directives })));
  const rules = { ...graphql.configs["flat/schema-all"].rules, ...graphql.configs["flat/schema-relay"].rules };
  for (const [name, level] of Object.entries(DIFFERENT)) rules[`@graphql-eslint/${name}`] = level;
  const eslint = new ESLint({
    cwd: import.meta.dirname,
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ["**/*.graphql"],
        languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: text } } },
        plugins: { "@graphql-eslint": graphql },
        rules,
      },
    ],
  });
  const [{ messages }] = await eslint.lintText(text, { filePath: "schema.graphql" });
  const active = Object.values(rules).filter((rule) => ![rule].flat().includes("off")).length;
  if (messages.length > 0) {
    throw new Error(messages.map(({ ruleId, message }) => `${ruleId}: ${message}`).join("\n"));
  }
  return `the schema keeps ${active} rules of graphql-eslint`;
}
