// GraphQL Code Generator with strict scalars over the committed and the introspected schema: the same types, for an
// operation on every root field and for the demo's own documents, and TypeScript accepts them and their use.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { codegen as generate } from "@graphql-codegen/core";
import * as typedDocumentNode from "@graphql-codegen/typed-document-node";
import * as typescript from "@graphql-codegen/typescript";
import * as operationTypes from "@graphql-codegen/typescript-operations";
import { buildSchema, isScalarType, isSpecifiedScalarType, lexicographicSortSchema, parse, printSchema, validate } from "graphql";
import ts from "typescript";
import { operations } from "./documents.mjs";

// How a portal uses the types. What must not compile says so.
const USE = `
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { DealPageDocument, RegisterDocument } from "./generated";

type Deal = ResultOf<typeof DealPageDocument>["deals"]["nodes"][number];
export const total = (deal: Deal): string => deal.value.amount + deal.value.currency;
// @ts-expect-error an amount is text, never a number
export const wrong = (deal: Deal): number => deal.value.amount;
// @ts-expect-error the input is mandatory
export const empty: VariablesOf<typeof RegisterDocument> = { key: "k" };
export const outcome = (answer: ResultOf<typeof RegisterDocument>): string => {
  const { dealRegistration, userErrors } = answer.dealRegistrationSubmit;
  // @ts-expect-error null exactly when there are errors
  void dealRegistration.number;
  return dealRegistration?.number ?? userErrors.map((error) => error.code).join();
};
`;

export async function codegen({ server, schemaFile, demoFile }) {
  const committed = buildSchema(readFileSync(schemaFile, "utf8"));
  const introspected = await server.schema();
  const every = operations(committed);
  const documents = [readFileSync(demoFile, "utf8"), ...every.map(({ text }) => text)].map((text, at) => ({
    location: `${at}.graphql`,
    document: parse(text),
  }));
  for (const { document, location } of documents) {
    const faults = validate(committed, document);
    if (faults.length > 0) throw new Error(`${location}: ${faults.join("\n")}`);
  }
  // Every scalar of the API's own but JSON is text on the wire; one left out here would fail under strictScalars.
  const own = Object.values(committed.getTypeMap()).filter((type) => isScalarType(type) && !isSpecifiedScalarType(type));
  const config = {
    strictScalars: true,
    scalars: Object.fromEntries(own.map(({ name }) => [name, name === "JSON" ? "unknown" : "string"])),
    useTypeImports: true,
    enumsAsTypes: true,
  };
  const outputs = await Promise.all(
    [committed, introspected].map((schema) =>
      generate({
        filename: "generated.ts",
        schema: parse(printSchema(lexicographicSortSchema(schema))),
        documents,
        config,
        plugins: [{ typescript: {} }, { operationTypes: {} }, { typedDocumentNode: {} }],
        pluginMap: { typescript, operationTypes, typedDocumentNode },
      }),
    ),
  );
  if (outputs[0] !== outputs[1]) throw new Error("the committed and the introspected schema give different types");
  const folder = mkdtempSync(path.join(import.meta.dirname, "generated-"));
  try {
    writeFileSync(path.join(folder, "generated.ts"), outputs[0]);
    writeFileSync(path.join(folder, "use.ts"), USE);
    const program = ts.createProgram(
      ["generated.ts", "use.ts"].map((name) => path.join(folder, name)),
      {
        strict: true,
        noEmit: true,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        target: ts.ScriptTarget.ES2022,
        lib: ["lib.es2022.d.ts"],
        types: [],
        skipLibCheck: true,
      },
    );
    const faults = ts.getPreEmitDiagnostics(program);
    if (faults.length > 0) {
      const host = { getCurrentDirectory: () => folder, getCanonicalFileName: (name) => name, getNewLine: () => "\n" };
      throw new Error(ts.formatDiagnostics(faults.slice(0, 20), host));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return `types for ${every.length} root fields and the demo's documents, the same from both schemas, accepted by tsc`;
}
