import { useEffect, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { hasPasskeys, proveByPasskey } from "../api/passkeys.ts";
import { type Question, showQuestions } from "../api/proof.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import type { DataOf } from "../api/routes.ts";
import { Dialog } from "../ui/act.tsx";
import { Loaded, Refused, useResource } from "../ui/resource.tsx";
import { HowToGetOne } from "./passkey-needed.tsx";

/** Asks for a proof whenever a route wants one. The refused action is repeated after it. */
export function ProofDialog() {
  const [question, ask] = useState<Question>();
  useEffect(() => {
    showQuestions(ask);
    return () => showQuestions(undefined);
  }, []);
  if (!question) return null;
  const close = (isProved: boolean) => {
    ask(undefined);
    question.answer(isProved);
  };
  return (
    <Dialog title="Prove that it is you" onClose={() => close(false)}>
      <Ways refusal={question.refusal} onProved={() => close(true)} />
    </Dialog>
  );
}

/** Focuses an element when it is mounted, because the dialog opens before its content has loaded. */
const focus = (element: HTMLElement | null) => element?.focus();

interface WaysProps {
  refusal: Refusal;
  onProved: () => void;
}

function Ways({ refusal, onProved }: WaysProps) {
  const identity = useResource("identity", () => call("GET /auth/identity"));
  const [failure, setFailure] = useState<Refusal>();
  const [isRunning, setRunning] = useState(false);
  const run = async (work: () => Promise<unknown>) => {
    setRunning(true);
    setFailure(undefined);
    try {
      await work();
    } catch (error) {
      setFailure(asRefusal(error));
    }
    setRunning(false);
  };
  return (
    <div class="stack">
      <p>What you are about to do needs a proof that is at most 10 minutes old.</p>
      <Loaded of={identity}>
        {(own) =>
          hasPasskeys && own.passkeys.length > 0 ? (
            <button
              type="button"
              class="primary"
              ref={focus}
              disabled={isRunning}
              onClick={() => run(() => proveByPasskey().then(onProved))}
            >
              {isRunning ? "Please wait…" : "Use your passkey"}
            </button>
          ) : refusal.code === "passkey_required" ? (
            <HowToGetOne />
          ) : (
            <ByCode identity={own} isRunning={isRunning} run={run} onProved={onProved} />
          )
        }
      </Loaded>
      {failure && <Refused refusal={failure} />}
    </div>
  );
}

interface ByCodeProps {
  identity: DataOf<"GET /auth/identity">;
  isRunning: boolean;
  run: (work: () => Promise<unknown>) => Promise<void>;
  onProved: () => void;
}

/** For users without a passkey: proof by a code to their own verified number or address. */
function ByCode({ identity, isRunning, run, onProved }: ByCodeProps) {
  const { phone_number, phone_verified, email, email_verified } = identity;
  const identifier = (phone_verified ? phone_number : email_verified ? email : undefined) ?? "";
  const [isSent, setSent] = useState(false);
  const send = async () => {
    await call("POST /auth/otp/request", { body: { identifier } });
    setSent(true);
  };
  const verify = async (otp: string) => {
    const { verification_token } = await call("POST /auth/otp/verify", { body: { identifier, otp } });
    await call("POST /auth/proof", { body: { verification_token } });
    onProved();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const otp = String(new FormData(event.currentTarget).get("otp") ?? "").replaceAll(/\D/g, "");
        void run(() => (isSent ? verify(otp) : send()));
      }}
    >
      {isSent && (
        <label>
          Code sent to <bdi>{identifier}</bdi>
          <input
            name="otp"
            class="code"
            inputMode="numeric"
            autocomplete="one-time-code"
            maxLength={7}
            required
            ref={focus}
          />
        </label>
      )}
      <button type="submit" class="primary" disabled={isRunning}>
        {isRunning ? "Please wait…" : isSent ? "Prove" : `Send a code to ${identifier}`}
      </button>
    </form>
  );
}
