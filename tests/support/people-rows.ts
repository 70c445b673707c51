import { env } from "cloudflare:workers";

/** Common properties of the inserted users. */
export interface ManyPeople {
  joined: number;
  lastLogin?: number;
  /** If absent, the profile is incomplete. */
  fullName?: string;
}

/** FROM clause with the numbers from 1 to the parameter's value, as rows of `n(value)`. */
export const numbers = (parameter: string) =>
  `(with recursive n(value) as (select 1 union all select value + 1 from n where value < ${parameter}) select value from n)`;

/** Inserts the ACTIVE users `PREFIX-1` to `PREFIX-COUNT`, who joined one millisecond apart, with their profiles. */
export async function insertManyPeople(prefix: string, count: number, people: ManyPeople): Promise<void> {
  const { joined, lastLogin = null, fullName = null } = people;
  await env.DB.batch([
    env.DB.prepare(
      `insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
        social_provider, locale, date_joined, last_login, updated_at, version)
        select ?1 || '-' || value, ?1, ?1 || '-' || value, 0, 1, ?1 || '-' || value, 'ACTIVE', 'user', 'PHONE', 'en',
          ?3 + value, ?4, ?3, 1 from ${numbers("?2")}`,
    ).bind(prefix, count, joined, lastLogin),
    env.DB.prepare(
      `insert into profiles (user_id, id, full_name, date_of_birth, address, created_at, updated_at)
        select ?1 || '-' || value, ?1 || '-' || value, ?3, '2000-01-01', 'Pokhara', 0, 0 from ${numbers("?2")}`,
    ).bind(prefix, count, fullName),
  ]);
}

/** Deletes the users that `insertManyPeople` inserted with the prefix, and everything that jobs wrote about them. */
export async function deleteManyPeople(prefix: string): Promise<void> {
  const ofThem = (column: string) => `${column} glob '${prefix}-*'`;
  await env.DB.batch(
    [
      `delete from outbox where ${ofThem("user_id")}`,
      `delete from audit_logs where ${ofThem("user_id")}`,
      `delete from users where ${ofThem("id")}`,
    ].map((text) => env.DB.prepare(text)),
  );
}
