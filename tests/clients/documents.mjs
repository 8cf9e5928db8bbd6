// One operation for every root field of a schema, with every argument as a variable.
import {
  getNamedType,
  isAbstractType,
  isLeafType,
  isNonNullType,
  isObjectType,
} from "graphql";

const required = (argument) => isNonNullType(argument.type) && argument.defaultValue === undefined;

/** What to select of a type: its leaves, and its objects so many levels down. */
export function selection(schema, type, levels) {
  if (isLeafType(type)) return "";
  if (isAbstractType(type)) {
    const shared = Object.values(type.getFields?.() ?? {}).filter((field) => isLeafType(getNamedType(field.type)));
    const kinds = schema.getPossibleTypes(type).map((kind) => `... on ${kind.name} { __typename }`);
    return `{ __typename ${[...shared.map((field) => field.name), ...kinds].join(" ")} }`;
  }
  const parts = ["__typename"];
  for (const field of Object.values(type.getFields())) {
    const below = getNamedType(field.type);
    if (field.args.some(required)) continue;
    if (isLeafType(below)) {
      parts.push(field.name);
    } else if (levels > 0) {
      const page = field.args.some((argument) => argument.name === "first") ? "(first: 2)" : "";
      // A page is told by its edges; its `nodes` are the same rows again.
      if (field.name === "nodes" && type.name.endsWith("Connection")) continue;
      // A page and its edges are no level of their own; their rows are.
      const free = isConnection(type) || isConnection(below);
      parts.push(`${field.name}${page} ${selection(schema, below, free ? levels : levels - 1)}`);
    }
  }
  return `{ ${parts.join(" ")} }`;
}

export const isConnection = (type) => isObjectType(type) && type.name.endsWith("Connection");

/** `[{ name, kind, field, text }]` for every root field. */
export function operations(schema, levels = 2) {
  const found = [];
  for (const [kind, root] of [
    ["query", schema.getQueryType()],
    ["mutation", schema.getMutationType()],
    ["subscription", schema.getSubscriptionType()],
  ]) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      const variables = field.args.map((argument) => `$${argument.name}: ${argument.type}`).join(", ");
      const given = field.args.map((argument) => `${argument.name}: $${argument.name}`).join(", ");
      const name = `${kind}_${field.name}`;
      const text = `${kind} ${name}${variables && `(${variables})`} { ${field.name}${given && `(${given})`} ${selection(schema, getNamedType(field.type), levels)} }`;
      found.push({ name, kind, field, text });
    }
  }
  return found;
}

export const needsNothing = (field) => !field.args.some(required);
