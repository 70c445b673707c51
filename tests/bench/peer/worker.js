import { env, waitUntil } from "cloudflare:workers";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { emailOTP } from "better-auth/plugins/email-otp";
import { countD1, newCounts } from "../counted-d1.ts";

// Better Auth as its documentation sets it up on Workers: D1 by its own adapter, one instance per isolate, background
// work by waitUntil, its rate limiter switched on as in production, everything else at its default. The mail is a row in
// a table of the same form as this service's outbox of development, which the benchmark reads the code from.

const counts = newCounts();
const database = env.COUNT ? countD1(env.DB, counts) : env.DB;

async function sendVerificationOTP({ email, otp }) {
  const text = `Your sign-in code is ${otp}. It is valid for 5 minutes.`;
  await database
    .prepare(
      "insert into local_outbox (id, channel, recipient, text, code, created_at) values (?, 'email', ?, ?, ?, ?)",
    )
    .bind(crypto.randomUUID(), email, text, otp, Date.now())
    .run();
}

const auth = betterAuth({
  appName: "PowerBank",
  baseURL: "http://localhost:8787",
  database,
  plugins: [emailOTP({ sendVerificationOTP })],
  rateLimit: { enabled: true },
  logger: { level: "error" },
  telemetry: { enabled: false },
  advanced: {
    backgroundTasks: { handler: waitUntil },
    ipAddress: { ipAddressHeaders: ["cf-connecting-ip"] },
  },
});

/** Creates the tables and the users. `outbox` is the SQL of the outbox's table and index. */
async function prepare({ outbox, users }) {
  await (await getMigrations(auth.options)).runMigrations();
  await env.DB.batch(outbox.map((sql) => env.DB.prepare(sql)));
  const now = new Date().toISOString();
  const insert = env.DB.prepare(
    'insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt") values (?, ?, ?, 1, ?, ?)',
  );
  const rows = Array.from({ length: users }, (_, i) =>
    insert.bind(crypto.randomUUID(), `User ${i}`, `user${i}@example.com`, now, now),
  );
  for (let from = 0; from < rows.length; from += 500) await env.DB.batch(rows.slice(from, from + 500));
}

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/bench/counts") return Response.json(counts);
    if (pathname === "/bench/prepare") {
      await prepare(await request.json());
      return new Response("ready");
    }
    const before = counts.trips;
    const response = await auth.handler(request);
    // What is sent in the background follows; calls must come one after another.
    if (env.COUNT) response.headers.set("d1-trips", String(counts.trips - before));
    return response;
  },
};
