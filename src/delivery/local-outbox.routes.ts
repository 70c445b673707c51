import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { AppEnv } from "../platform/http/app-env.ts";
import { readQuery, textsOf } from "../platform/http/endpoint-body.ts";
import { AppError } from "../platform/http/errors.ts";
import { publicRawEndpoint } from "../platform/http/raw-endpoint.ts";
import { isoTime } from "../platform/time.ts";
import { parseIdentifier } from "../users/identifier.ts";
import { outboxPage, outboxPolicy } from "./local-outbox.page.ts";
import { listLocalOutbox, type OutboxFilter } from "./local-outbox.store.ts";

/** Loopback addresses (RFC 1122, RFC 4291), private addresses (RFC 1918, RFC 4193) and local host names. */
const LOCAL_HOST =
  /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|10(\.\d{1,3}){3}|192\.168(\.\d{1,3}){2}|172\.(1[6-9]|2\d|3[01])(\.\d{1,3}){2}|\[::1\]|\[f[cd][0-9a-f]{2}:.*\])$/;

/** Shows a developer the messages that were stored instead of sent; 404 on a public host. */
export const getLocalOutbox = publicRawEndpoint({ method: "get", path: "/dev/outbox", home: "every" }, async (c) => {
  const deps = c.get("deps");
  if (!LOCAL_HOST.test(new URL(c.req.url).hostname)) throw new AppError("not_found");
  const to = textsOf(readQuery(c.req)).to?.trim();
  const rows = await listLocalOutbox(deps, to ? recipientOf(c, to) : {});
  const messages = rows.map((row) => ({
    id: row.id,
    channel: row.channel,
    to: row.recipient,
    text: row.text,
    code: row.code,
    created_at: isoTime(row.createdAt),
  }));
  const type = accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/json"],
    default: "text/html",
  });
  if (type === "application/json") return c.json({ messages });
  const nonce = crypto.randomUUID();
  c.header("Content-Security-Policy", outboxPolicy(nonce));
  return c.html(outboxPage(messages, to ?? "", nonce));
});

/** Reads `to` as a whole identifier in any notation, otherwise as a part of one or of a push token. */
function recipientOf(c: Context<AppEnv>, to: string): OutboxFilter {
  try {
    return { recipient: parseIdentifier(c.get("deps"), to).value };
  } catch (error) {
    if (error instanceof AppError) return { part: /^[+\d\s()-]+$/.test(to) ? to.replace(/[\s()-]/g, "") : to };
    throw error;
  }
}
