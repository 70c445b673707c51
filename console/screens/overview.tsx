import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import type { DataOf } from "../api/routes.ts";
import { bs } from "../ui/calendar.ts";
import { Refused } from "../ui/resource.tsx";
import { Link } from "../ui/router.tsx";
import { Day, Fact, Mark, Moment, plain, Text } from "../ui/words.tsx";
import type { Detail } from "./person.tsx";

type Field = NonNullable<Detail["hidden"]>[number];
type Shown = Partial<DataOf<"POST /users/{id}/reveal">>;

/** The first part of a person: ways in, profile, identity, wallet. Hidden fields are shown one by one, and recorded. */
export function Overview({ person }: { person: Detail }) {
  const { profile, kyc } = person;
  const [shown, setShown] = useState<Shown>({});
  const [refusal, setRefusal] = useState<Refusal>();
  const hidden = (field: Field) =>
    person.hidden?.includes(field) && !(field in shown) ? (
      <Hidden
        name={NAMES[field]}
        show={() =>
          call("POST /users/{id}/reveal", { id: person.id, body: { fields: [field] } }).then(
            (found) => setShown((before) => ({ ...before, ...found })),
            (error) => setRefusal(asRefusal(error)),
          )
        }
      />
    ) : undefined;
  return (
    <div class="grid">
      {refusal && (
        <div class="wide">
          <Refused refusal={refusal} />
        </div>
      )}
      <section class="card">
        <h2>Ways in</h2>
        <dl>
          <Fact name="Mobile number">
            {hidden("phone_number") ?? <Text>{shown.phone_number ?? person.phone_number}</Text>}{" "}
            {(person.hidden?.includes("phone_number") || person.phone_number) && (
              <Verified is={person.phone_verified} />
            )}
          </Fact>
          <Fact name="Email">
            {hidden("email") ?? <Text>{shown.email ?? person.email}</Text>}{" "}
            {(person.hidden?.includes("email") || person.email) && <Verified is={person.email_verified} />}
          </Fact>
          <Fact name="Signed up by">
            {plain(person.social_provider)}{" "}
            {hidden("social_profile_data") ??
              (shown.social_profile_data && <code>{JSON.stringify(shown.social_profile_data)}</code>)}
          </Fact>
          <Fact name="Language">{person.locale === "ne" ? "Nepali" : "English"}</Fact>
          <Fact name="Last sign-in">
            <Moment at={person.last_login} />
          </Fact>
          <Fact name="Last seen">
            <Moment at={person.last_activity_at} />
          </Fact>
        </dl>
      </section>
      <section class="card">
        <h2>Profile</h2>
        <dl>
          <Fact name="Full name">
            <Text>{profile?.full_name}</Text>
          </Fact>
          <Fact name="Date of birth">
            {hidden("date_of_birth") ?? <Birth on={shown.date_of_birth ?? profile?.date_of_birth} />}
          </Fact>
          <Fact name="Address">{hidden("address") ?? <Text>{shown.address ?? profile?.address}</Text>}</Fact>
          <Fact name="Referral code">
            <code>{person.referral_code}</code>
          </Fact>
        </dl>
      </section>
      <section class="card">
        <h2>
          Identity{" "}
          {kyc && (
            <Link to={`/review/${person.id}`} class="small">
              Open the case
            </Link>
          )}
        </h2>
        {kyc ? (
          <dl>
            <Fact name="Status">
              <Mark of={kyc.status} />
            </Fact>
            <Fact name="Document">
              {plain(kyc.document_type)} <code>{kyc.document_number}</code>
            </Fact>
            <Fact name="Sent">
              <Day at={kyc.created_at} />
            </Fact>
            {kyc.rejection_reason && (
              <Fact name="Told the person">
                <Text>{kyc.rejection_reason}</Text>
              </Fact>
            )}
          </dl>
        ) : (
          <p class="none">No documents were sent.</p>
        )}
      </section>
      <section class="card">
        <h2>Wallet</h2>
        <dl>
          <Fact name="Balance">
            <strong class="figure">
              {person.wallet_balance.currency} {person.wallet_balance.balance}
            </strong>
          </Fact>
          <Fact name="Points">
            {person.points.current_points} <small>of {person.points.total_points} ever earned</small>
          </Fact>
        </dl>
      </section>
      <p class="small wide">
        Id <code>{person.id}</code>. Opening this page, and each field that you show, is recorded in the{" "}
        <Link to={`/people/${person.id}/trail`}>trail</Link>.
      </p>
    </div>
  );
}

const NAMES: Record<Field, string> = {
  email: "email address",
  phone_number: "mobile number",
  social_profile_data: "provider's data",
  date_of_birth: "date of birth",
  address: "address",
};

/** Placeholder for a hidden value, with a button that shows it. */
function Hidden({ name, show }: { name: string; show: () => Promise<void> }) {
  const [isAsked, setAsked] = useState(false);
  return (
    <span class="hidden">
      <span aria-hidden="true">••••••</span>
      <button
        type="button"
        class="quiet"
        disabled={isAsked}
        aria-label={`Show the ${name}`}
        onClick={() => {
          setAsked(true);
          void show().finally(() => setAsked(false));
        }}
      >
        Show
      </button>
    </span>
  );
}

/** Whether an identifier was proven by its owner. */
export function Verified({ is }: { is: boolean }) {
  return <span class={`mark ${is ? "good" : "warn"}`}>{is ? "Verified" : "Not verified"}</span>;
}

/** A date of birth in both calendars, because certificates bear the Nepali one. */
export function Birth({ on }: { on: string | null | undefined }) {
  if (!on) return <span class="none">–</span>;
  const nepali = bs(on);
  return (
    <>
      <time dateTime={on}>{on}</time> <small>AD</small>
      {nepali && (
        <>
          {" · "}
          <span class="whole">
            {nepali} <small>BS</small>
          </span>
        </>
      )}
    </>
  );
}
