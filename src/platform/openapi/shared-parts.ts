import type { Json } from "./schemas.ts";

/** Moves a part that is used several times to `components` and returns a reference; returns others unchanged. */
type Mover = (part: Json) => Json;

interface Components {
  schemas: Record<string, Json>;
  parameters: Record<string, Json>;
  responses: Record<string, Json>;
}

/** Minimum number of uses before a part is moved to `components`. */
const LEAST_USES = 2;

/**
 * Replaces what several operations have in common by references: the envelope of a named `data` (`ProfileResponse`),
 * responses other than failures, and parameters. Adds the parts to `components`.
 */
export function shareParts(paths: Record<string, Record<string, Json>>, components: Components): void {
  const operations = Object.values(paths).flatMap((item) => Object.values(item));
  const medias = operations.flatMap(({ responses }) =>
    Object.values(responses as Record<string, { content?: Record<string, Json> }>).flatMap(({ content }) =>
      content?.["application/json"] ? [content["application/json"]] : [],
    ),
  );
  const shareEnvelope = moverOf(
    "schemas",
    nameOfEnvelope,
    medias.map(({ schema }) => schema as Json),
    components,
  );
  for (const media of medias) media.schema = shareEnvelope(media.schema as Json);
  shareResponses(operations, components);
  const listed = operations.flatMap(({ parameters }) => (parameters as Json[] | undefined) ?? []);
  const shareParameter = moverOf("parameters", nameOfParameter, listed, components);
  for (const operation of operations) {
    if (operation.parameters) operation.parameters = (operation.parameters as Json[]).map(shareParameter);
  }
}

function moverOf(
  kind: keyof Components,
  nameOf: (part: Json) => string | undefined,
  parts: readonly Json[],
  components: Components,
): Mover {
  const uses = Map.groupBy(parts, (part) => JSON.stringify(part));
  return (part) => {
    const text = JSON.stringify(part);
    const name = nameOf(part);
    if (name === undefined || (uses.get(text)?.length ?? 0) < LEAST_USES) return part;
    const known = components[kind][name];
    if (known !== undefined && JSON.stringify(known) !== text) return part;
    components[kind][name] = part;
    return { $ref: `#/components/${kind}/${name}` };
  };
}

/** Shares responses that differ in nothing but their descriptions. */
function shareResponses(operations: readonly Json[], components: Components): void {
  const own = operations.flatMap(({ responses }) =>
    Object.entries(responses as Record<string, Json>).flatMap(([status, response]) => {
      const { description: _, ...rest } = response;
      const name = nameOfResponse(status, rest);
      return name === undefined ? [] : [{ key: `${name} ${JSON.stringify(rest)}`, name, status, response, responses }];
    }),
  );
  for (const group of Map.groupBy(own, ({ key }) => key).values()) {
    const [first] = group;
    if (!first || group.length < LEAST_USES || components.responses[first.name]) continue;
    const isSame = group.every(({ response }) => response.description === first.response.description);
    components.responses[first.name] = { ...first.response, ...(isSame ? {} : { description: "Success." }) };
    for (const { responses, status } of group) {
      (responses as Json)[status] = { $ref: `#/components/responses/${first.name}` };
    }
  }
}

/** Names in RFC 9110 of the statuses of responses without a body. */
const NAMES_OF_STATUSES: Readonly<Record<string, string>> = { 303: "SeeOther", 304: "NotModified" };

/** `Profile` for a response with a `ProfileResponse`; undefined for failures and for bodies without a name. */
function nameOfResponse(status: string, { content }: Json): string | undefined {
  if (!content) return NAMES_OF_STATUSES[status];
  const { $ref } = (content as Record<string, { schema: Json }>)["application/json"]?.schema ?? {};
  return Number(status) < 300 && $ref ? /(\w+)Response$/.exec(String($ref))?.[1] : undefined;
}

/** `ProfileResponse` for an envelope without further members, `MessageResponse` if its data is only a message. */
function nameOfEnvelope({ properties = {} }: Json): string | undefined {
  const { data, ...others } = properties as Record<string, Json>;
  if (!data || Object.keys(others).join() !== "success,message") return undefined;
  if (Object.keys((data.properties as Json | undefined) ?? {}).join() === "message") return "MessageResponse";
  const named = (data.items ?? data) as Json;
  if (typeof named.$ref !== "string") return undefined;
  return `${named.$ref.split("/").at(-1)}${data.items ? "List" : ""}Response`;
}

/** `UserId` for a parameter that is described as the id of a user, otherwise its name: `PageSize`. */
function nameOfParameter({ $ref, name, description }: Json): string | undefined {
  if ($ref !== undefined) return undefined;
  const [, what] = /^Id of (?:the|a) (\w+)\.$/.exec(String(description)) ?? [];
  const text = what ? `${what}_id` : String(name);
  return text.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
