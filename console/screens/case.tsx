import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { Refusal } from "../api/refusal.ts";
import type { DataOf } from "../api/routes.ts";
import { useUser } from "../api/session.ts";
import { Act } from "../ui/act.tsx";
import { useKeys } from "../ui/keys.ts";
import { Loaded, type Resource, useResource } from "../ui/resource.tsx";
import { useTitle } from "../ui/router.tsx";
import { Moment, Text } from "../ui/words.tsx";
import { Claims } from "./claims.tsx";
import { Decision, type Mode } from "./decision.tsx";
import { Documents } from "./documents.tsx";

/** A submission with all that a reviewer compares. */
export type Data = DataOf<"GET /users/{id}/kyc">;

interface CaseProps {
  id: string;
  /** Position in the queue, such as `2 of 7`; undefined if it is not in it. */
  place: string | undefined;
  next: () => void;
  previous: (() => void) | undefined;
  /** Called once the case is decided; `isShown` is false if the reviewer has left it meanwhile. */
  settle: (id: string, isShown: boolean) => void;
  /** Called once a decision is taken back. */
  reopen: (id: string) => void;
}

/** One case: the pictures, what the person claims, and the decision. */
export function Case({ id, place, next, previous, settle, reopen }: CaseProps) {
  const found = useResource(id, () => call("GET /users/{id}/kyc", { id }));
  const [notice, setNotice] = useState<string>();
  const [isSettled, setSettled] = useState(false);
  // The reviewer may have gone elsewhere while the decision was on its way.
  const isShown = useRef(true);
  useEffect(
    () => () => {
      isShown.current = false;
    },
    [],
  );

  const decide = async (body: Parameters<typeof send>[1]) => {
    try {
      await send(id, body);
      setSettled(true);
      settle(id, isShown.current);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 409) throw error;
      setNotice(error.message);
      found.reload();
    }
  };

  return (
    <>
      <div class="row apart no-print">
        <p class="small">Identity review{place && `, ${place}`}</p>
        <div class="row">
          {previous && (
            <button type="button" onClick={previous}>
              Previous <kbd>K</kbd>
            </button>
          )}
          <button type="button" onClick={next}>
            Next <kbd>J</kbd>
          </button>
        </div>
      </div>
      {notice && (
        <p class="note" role="alert">
          {notice}
        </p>
      )}
      {!isSettled && (
        <Loaded of={found}>
          {(data) => <Open key={data.version} data={data} found={found} decide={decide} reopen={() => reopen(id)} />}
        </Loaded>
      )}
    </>
  );
}

type Body = Parameters<typeof call<"PATCH /users/{id}/kyc">>[1];
type Change = NonNullable<Body>["body"];

const send = (id: string, body: Change) => call("PATCH /users/{id}/kyc", { id, body });

interface OpenProps {
  data: Data;
  found: Resource<Data>;
  decide: (change: Change) => Promise<void>;
  reopen: () => void;
}

function Open({ data, found, decide, reopen }: OpenProps) {
  const user = useUser();
  const name = data.profile.full_name ?? data.user.username;
  useTitle(`Review of ${data.user.username}`, false);
  useEffect(() => document.querySelector("h1")?.focus({ preventScroll: true }), []);
  const [mode, setMode] = useState<Mode>();
  const [seen, setSeen] = useState({ front: false, back: data.document_back_url === null });
  const [isReopening, setReopening] = useState(false);
  const isWaiting = data.status === "PENDING";
  const isOwn = data.user.id === user.id;
  const hasOwnApproval = data.approvals.some(({ viewer }) => viewer?.id === user.id);
  const mayApprove = isWaiting && !isOwn && !hasOwnApproval && seen.front && seen.back;

  useKeys({
    a: () => mayApprove && setMode("approve"),
    x: () => isWaiting && !isOwn && setMode("reject"),
    u: () => !isWaiting && !isOwn && setReopening(true),
  });

  return (
    <div class="case">
      <Documents
        data={data}
        onSeen={(side) => setSeen((before) => (before[side] ? before : { ...before, [side]: true }))}
        renew={found.reload}
      />
      <div class="stack">
        <h1 tabIndex={-1}>
          <Text>{name}</Text>
        </h1>
        <Claims data={data} />
        {isOwn && <p class="note">These are your own documents. A colleague decides about them.</p>}
        {hasOwnApproval && <p class="note">You have approved this. A colleague has to approve it too.</p>}
        {isWaiting && !isOwn && (
          <Decision
            key={mode}
            mode={mode}
            setMode={setMode}
            mayApprove={mayApprove}
            isSeen={seen.front && seen.back}
            needsSecond={data.approvals_needed > 1 && data.approvals.length === 0}
            approve={() => decide({ status: "APPROVED", version: data.version })}
            reject={(code, own) =>
              decide({
                status: "REJECTED",
                version: data.version,
                ...(code ? { rejection_code: code } : {}),
                ...(own ? { rejection_reason: own } : {}),
              })
            }
          />
        )}
        {!isWaiting && !isOwn && (
          <button type="button" onClick={() => setReopening(true)}>
            Take the decision back <kbd>U</kbd>
          </button>
        )}
        <p class="only-print small">
          Printed by {user.username}, <Moment at={new Date().toISOString()} />.
        </p>
      </div>
      {isReopening && (
        <Act
          title="Take the decision back?"
          verb="Take back"
          danger
          reason="required"
          onClose={() => setReopening(false)}
          run={async (reason) => {
            await send(data.user.id, { status: "PENDING", reason, version: data.version });
            reopen();
            found.reload();
          }}
        >
          <p>
            The documents are in the queue again, and the person may send others. The next decision is told to them.
          </p>
        </Act>
      )}
    </div>
  );
}
