import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import { isoTime } from "../../platform/time.ts";
import { PROOF_WINDOW_MS } from "../../sessions/recent-proof.ts";
import { userRole } from "../../users/user-enums.ts";
import { passkeyView, viewPasskey } from "../passkey/passkey.views.ts";
import type { IdentityRows } from "./identity.store.ts";

/** Domain of the addresses under which Apple forwards e-mail. */
const APPLE_RELAY = "@privaterelay.appleid.com";

const isoOrNull = (instant: number | null) => (instant === null ? null : isoTime(instant));

export const localeField = z.enum(["en", "ne"]).meta({ id: "Locale" });

const providerView = z
  .object({
    provider: z.enum(["GOOGLE", "APPLE"]),
    email: z.string().nullable().meta({ description: "As the provider reports it." }),
    is_relay: z.boolean().meta({ description: "Whether Apple forwards the address's email." }),
    is_revoked: z.boolean().meta({
      description: "Whether the person withdrew the consent at the provider; then it is no way to sign in.",
    }),
    linked_at: z.iso.datetime(),
  })
  .meta({ id: "LinkedProvider" });

/** Who the user is: how they sign in, and what this session may do. */
export const identityView = z
  .object({
    id: z.string(),
    username: z.string(),
    role: userRole,
    locale: localeField.meta({ description: "The language of messages to the user." }),
    email: z.string().nullable(),
    email_verified: z.boolean(),
    email_stopped: z.boolean().meta({ description: "Whether Apple forwards no email to this address any more." }),
    phone_number: z.string().nullable(),
    phone_verified: z.boolean(),
    providers: z.array(providerView),
    passkeys: z.array(passkeyView),
    proved_until: z.iso.datetime().nullable().meta({
      description:
        "Until when this session may make sensitive changes; null: prove it first, by `POST /api/auth/proof`.",
    }),
    passkey_required: z.boolean().meta({
      description: "Whether the role works only once a passkey has proved this session.",
    }),
    enrolment_until: z.iso.datetime().nullable().meta({
      description: "Until when a member of staff may add a passkey without another one; null if not at all.",
    }),
  })
  .meta({ id: "Identity" });

export function viewIdentity(
  deps: Pick<Deps, "now" | "config">,
  { user, links, passkeys }: IdentityRows,
): z.input<typeof identityView> {
  const now = deps.now();
  const isAfter = (instant: number | null) => (instant !== null && instant > now ? instant : null);
  return {
    id: user.id,
    username: user.username,
    role: user.role,
    locale: user.locale,
    email: user.email,
    email_verified: user.emailVerified,
    email_stopped: links.some(({ email, mailStoppedAt }) => mailStoppedAt !== null && email === user.email),
    phone_number: user.phoneNumber,
    phone_verified: user.phoneVerified,
    providers: links.map(({ provider, email, revokedAt, createdAt }) => ({
      provider,
      email,
      is_relay: email?.endsWith(APPLE_RELAY) === true,
      is_revoked: revokedAt !== null,
      linked_at: isoTime(createdAt),
    })),
    passkeys: passkeys.map(viewPasskey),
    proved_until: isoOrNull(isAfter(user.provedAt + PROOF_WINDOW_MS)),
    passkey_required: user.role !== "user" && deps.config.requiresStaffPasskeys && user.passkeyAt === null,
    enrolment_until: isoOrNull(isAfter(user.enrolmentUntil)),
  };
}
