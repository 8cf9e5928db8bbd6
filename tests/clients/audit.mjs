// The audits of graphql-http, and the introspected schema by the rules of graphql-js.
import { auditServer } from "graphql-http";
import { validateSchema } from "graphql";

// How many audits this version has: a list that came back shorter would pass all the more easily.
const AUDITS = 61;

export async function audit({ server }) {
  const results = await auditServer({ url: server.url, fetchFn: fetch });
  if (results.length !== AUDITS) throw new Error(`${results.length} audits ran, not ${AUDITS}`);
  const failed = results.filter((result) => result.status !== "ok");
  if (failed.length > 0) {
    throw new Error(failed.map(({ status, name, reason }) => `${status}: ${name}: ${reason}`).join("\n"));
  }
  const faults = validateSchema(await server.schema());
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return `${results.length} of ${results.length} audits of graphql-http passed, and graphql-js accepts the schema`;
}
