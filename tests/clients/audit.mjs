// The audits of graphql-http, and the introspected schema by the rules of graphql-js.
import { auditServer } from "graphql-http";
import { validateSchema } from "graphql";

export async function audit({ server }) {
  const results = await auditServer({ url: server.url, fetchFn: fetch });
  const failed = results.filter((result) => result.status !== "ok");
  if (failed.length > 0) {
    throw new Error(failed.map(({ status, name, reason }) => `${status}: ${name}: ${reason}`).join("\n"));
  }
  const faults = validateSchema(await server.schema());
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return `${results.length} of ${results.length} audits of graphql-http passed, and graphql-js accepts the schema`;
}
