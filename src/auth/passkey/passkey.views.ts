import { z } from "zod";
import type { passkeys } from "../../db/identity-schema.ts";
import { isoTime } from "../../platform/time.ts";

/** A passkey as its owner sees it. */
export const passkeyView = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    credential_id: z.string().meta({ description: "base64url, as in WebAuthn; for its signal methods." }),
    aaguid: z.string().meta({ description: "The model of the authenticator; tells which password manager holds it." }),
    is_synced: z.boolean().meta({ description: "Whether the passkey is on the person's other devices too." }),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().nullable(),
  })
  .meta({ id: "Passkey" });

export type PasskeyRow = Pick<
  typeof passkeys.$inferSelect,
  "id" | "name" | "credentialId" | "aaguid" | "isSynced" | "createdAt" | "lastUsedAt"
>;

export function viewPasskey(row: PasskeyRow): z.input<typeof passkeyView> {
  return {
    id: row.id,
    name: row.name,
    credential_id: row.credentialId,
    aaguid: row.aaguid,
    is_synced: row.isSynced,
    created_at: isoTime(row.createdAt),
    last_used_at: row.lastUsedAt === null ? null : isoTime(row.lastUsedAt),
  };
}
