import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { hasPasskeys, offerPasskeys, signInByPasskey } from "../api/passkeys.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import { finishSignOut, signIn } from "../api/session.ts";
import { Refused } from "../ui/resource.tsx";
import { useTitle } from "../ui/router.tsx";

interface SignInProps {
  notice: string | undefined;
  /** The server has not ended the session of the person who signed out. */
  isPending: true | undefined;
}

/** Sign-in by a passkey, or by a one-time code: first the identifier, then the code. */
export function SignIn({ notice, isPending }: SignInProps) {
  useTitle("Sign in", false);
  const [identifier, setIdentifier] = useState("");
  const [isSent, setSent] = useState(false);
  const [resendAt, setResendAt] = useState(0);
  const [refusal, setRefusal] = useState<Refusal>();
  const [isRunning, setRunning] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const token = useRef<{ otp: string; verified: string }>(null);
  useEffect(() => field.current?.focus(), [isSent]);

  const run = async (work: () => Promise<void>) => {
    setRunning(true);
    setRefusal(undefined);
    await work().catch((error) => setRefusal(asRefusal(error)));
    setRunning(false);
  };
  const request = () =>
    run(async () => {
      const { resend_in } = await call("POST /auth/otp/request", { body: { identifier, purpose: "LOGIN" } });
      setResendAt(Date.now() + resend_in * 1000);
      setSent(true);
    });
  const verify = (otp: string) =>
    run(async () => {
      // A code works once, so a sign-in that failed afterwards is retried with the code's verification token.
      if (token.current?.otp !== otp) {
        const verified = await call("POST /auth/otp/verify", { body: { identifier, otp, purpose: "LOGIN" } });
        token.current = { otp, verified: verified.verification_token };
      }
      await signIn({ identifier, verification_token: token.current.verified });
    });

  // The browser offers passkeys where it fills in the identifier, unless its dialog is open.
  const [isChoosing, setChoosing] = useState(false);
  useEffect(() => {
    if (!hasPasskeys || isSent || isChoosing) return;
    const offer = new AbortController();
    offerPasskeys(offer.signal).catch((error) => setRefusal(asRefusal(error)));
    return () => offer.abort();
  }, [isSent, isChoosing]);
  useEffect(() => {
    if (isChoosing) void run(signInByPasskey).finally(() => setChoosing(false));
  }, [isChoosing]);

  return (
    <main class="gate">
      <section class="card">
        <p class="brand">
          <Bolt /> Staff console
        </p>
        <h1 tabIndex={-1}>Sign in</h1>
        {isPending ? <Pending notice={notice} /> : notice && <p class="note">{notice}</p>}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const form = new FormData(event.currentTarget);
            if (isRunning) return;
            void (isSent ? verify(String(form.get("otp")).replaceAll(/\D/g, "")) : request());
          }}
        >
          {isSent ? (
            <>
              <p>
                A code of 6 digits was sent to <bdi>{identifier}</bdi>, if it belongs to an account.
              </p>
              <label>
                Code
                <input
                  ref={field}
                  key="otp"
                  name="otp"
                  class="code"
                  inputMode="numeric"
                  autocomplete="one-time-code"
                  pattern="[0-9 ]{6,7}"
                  title="6 digits"
                  maxLength={7}
                  required
                />
              </label>
            </>
          ) : (
            <label>
              Mobile number or email address
              <input
                ref={field}
                key="identifier"
                name="identifier"
                autocomplete={hasPasskeys ? "username webauthn" : "username"}
                value={identifier}
                onInput={(event) => setIdentifier(event.currentTarget.value)}
                required
              />
            </label>
          )}
          {refusal && <Refused refusal={refusal} />}
          <button type="submit" class="primary" disabled={isRunning}>
            {isRunning ? "Please wait…" : isSent ? "Sign in" : "Send a code"}
          </button>
        </form>
        {hasPasskeys && !isSent && (
          <button type="button" disabled={isRunning} onClick={() => setChoosing(true)}>
            Use a passkey
          </button>
        )}
        {isSent && (
          <div class="row apart">
            <button type="button" class="link" onClick={() => setSent(false)}>
              Use another number or address
            </button>
            <Resend at={resendAt} run={request} />
          </div>
        )}
        <p class="small">Only staff can sign in. What you open and do here is recorded.</p>
      </section>
    </main>
  );
}

/** Says that a sign-out has not reached the server, and repeats it. */
function Pending({ notice }: { notice: string | undefined }) {
  const [isRunning, setRunning] = useState(false);
  const finish = async () => {
    setRunning(true);
    await finishSignOut();
    setRunning(false);
  };
  return (
    <div class="refused" role="alert">
      <p>{notice}</p>
      <button type="button" disabled={isRunning} onClick={finish}>
        Sign out again
      </button>
    </div>
  );
}

/** Offers another code once the server would send one. */
function Resend({ at, run }: { at: number; run: () => Promise<void> }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.ceil((at - now) / 1000);
  if (left > 0) return <span class="small">Another code in {left} s</span>;
  return (
    <button type="button" class="link" onClick={run}>
      Send another code
    </button>
  );
}

/** The mark of the console. */
export function Bolt() {
  return (
    <svg class="bolt" viewBox="0 0 16 16" aria-hidden="true">
      <rect width="16" height="16" rx="4" />
      <path d="M9 1.5 3.5 9H7l-.8 5.5L12.5 7H8.6z" />
    </svg>
  );
}
