import { useState } from "preact/hooks";
import { proveIfPossible } from "../api/passkeys.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import { resume, signOut, type User } from "../api/session.ts";
import { Refused } from "../ui/resource.tsx";
import { useTitle } from "../ui/router.tsx";

/** Replaces the page after a pause and hides what it showed, until the person continues. */
export function Curtain({ user }: { user: User }) {
  useTitle("Paused");
  const [refusal, setRefusal] = useState<Refusal>();
  return (
    <main class="gate">
      <section class="card">
        <h1 tabIndex={-1}>Paused</h1>
        <p>
          Nothing was touched for 15 minutes, so the console hides what it showed. You are signed in as{" "}
          <bdi>{user.username}</bdi>. If you have a passkey, it is asked for.
        </p>
        {refusal && <Refused refusal={refusal} />}
        <div class="row">
          <button
            type="button"
            class="primary"
            onClick={() => resume(proveIfPossible).catch((error) => setRefusal(asRefusal(error)))}
          >
            Continue
          </button>
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </section>
    </main>
  );
}
