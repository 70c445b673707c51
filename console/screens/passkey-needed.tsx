import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { addPasskey, hasPasskeys, proveByPasskey } from "../api/passkeys.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import { recheck, signOut, type User } from "../api/session.ts";
import { Loaded, Refused, useResource } from "../ui/resource.tsx";
import { useTitle } from "../ui/router.tsx";
import { Moment } from "../ui/words.tsx";

/** Tells staff who have no passkey and may not add one now how to get one. */
export function HowToGetOne() {
  return (
    <>
      <p>Your account has no passkey, and a code alone does not let staff work. This is how you get one:</p>
      <ol>
        <li>Ask an admin to open your account under People and to choose “Reset passkeys”.</li>
        <li>Sign in here again with a code within 24 hours.</li>
        <li>Add a passkey on this page.</li>
      </ol>
      <p class="small">
        If there is no other admin, whoever runs the service can do it with <code>npm run staff -- enrol</code>.
      </p>
    </>
  );
}

/** Shown if the role needs a passkey: uses one, adds the first one while that is allowed, or says how to get one. */
export function PasskeyNeeded({ user }: { user: User }) {
  useTitle("Passkey needed");
  const identity = useResource("identity", () => call("GET /auth/identity"));
  const [refusal, setRefusal] = useState<Refusal>();
  const [isRunning, setRunning] = useState(false);
  const run = async (work: () => Promise<void>) => {
    setRunning(true);
    setRefusal(undefined);
    try {
      await work();
      await recheck();
    } catch (error) {
      setRefusal(asRefusal(error));
      identity.reload();
    }
    setRunning(false);
  };
  const button = (text: string, work: () => Promise<void>) => (
    <button type="button" class="primary" disabled={isRunning} onClick={() => run(work)}>
      {isRunning ? "Please wait…" : text}
    </button>
  );
  return (
    <main class="gate">
      <section class="card">
        <h1 tabIndex={-1}>A passkey is needed</h1>
        <p>
          You are signed in as <bdi>{user.username}</bdi>. Staff work here only with a passkey.
        </p>
        <Loaded of={identity}>
          {({ passkeys, enrolment_until }) => {
            if (!hasPasskeys)
              return <p class="note">Passkeys do not work at this address or in this browser. Ask an admin.</p>;
            if (passkeys.length > 0) return button("Use your passkey", proveByPasskey);
            if (!enrolment_until) return <HowToGetOne />;
            return (
              <>
                <p>
                  You can add one until <Moment at={enrolment_until} />. It stays on this device or in your password
                  manager, and is asked for once more to let you in.
                </p>
                {button("Add a passkey", () => addPasskey("").then(proveByPasskey))}
              </>
            );
          }}
        </Loaded>
        {refusal && <Refused refusal={refusal} />}
        <div class="row">
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </section>
    </main>
  );
}
