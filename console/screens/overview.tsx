import { bs } from "../ui/calendar.ts";
import { Link } from "../ui/router.tsx";
import { Day, Fact, Mark, Moment, plain, Text } from "../ui/words.tsx";
import type { Detail } from "./person.tsx";

/** The first part of a person: ways in, profile, identity, wallet. */
export function Overview({ person }: { person: Detail }) {
  const { profile, kyc } = person;
  return (
    <div class="grid">
      <section class="card">
        <h2>Ways in</h2>
        <dl>
          <Fact name="Mobile number">
            <Text>{person.phone_number}</Text> {person.phone_number && <Verified is={person.phone_verified} />}
          </Fact>
          <Fact name="Email">
            <Text>{person.email}</Text> {person.email && <Verified is={person.email_verified} />}
          </Fact>
          <Fact name="Signed up by">{plain(person.social_provider)}</Fact>
          <Fact name="Last sign-in">
            <Moment at={person.last_login} />
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
            <Birth on={profile?.date_of_birth} />
          </Fact>
          <Fact name="Address">
            <Text>{profile?.address}</Text>
          </Fact>
          <Fact name="Referral code">
            <code>{person.referral_code}</code>
          </Fact>
        </dl>
      </section>
      <section class="card">
        <h2>Identity</h2>
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
        Id <code>{person.id}</code>. Opening this page is recorded in the{" "}
        <Link to={`/people/${person.id}/trail`}>trail</Link>.
      </p>
    </div>
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
          {" "}
          · {nepali} <small>BS</small>
        </>
      )}
    </>
  );
}
