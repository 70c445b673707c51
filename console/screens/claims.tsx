import { Link } from "../ui/router.tsx";
import { ago, Day, Fact, Mark, plain, Text } from "../ui/words.tsx";
import type { Data } from "./case.tsx";
import { Birth } from "./overview.tsx";

/** What the person says about themselves, to be compared with the document; and what a reviewer should know. */
export function Claims({ data }: { data: Data }) {
  return (
    <section class="card claims">
      <dl>
        <Fact name="Status">
          <Mark of={data.status} /> <small>sent {ago(data.submitted_at)}</small>
        </Fact>
        <Fact name="Document">{plain(data.document_type)}</Fact>
        <Fact name="Number">
          <strong class="figure">
            <Text>{data.document_number}</Text>
          </strong>
        </Fact>
        <Fact name="Name">
          <strong>
            <Text none="not given">{data.profile.full_name}</Text>
          </strong>
        </Fact>
        <Fact name="Born">
          <Birth on={data.profile.date_of_birth} />
        </Fact>
        <Fact name="Address">
          <Text none="not given">{data.profile.address}</Text>
        </Fact>
        <Fact name="Account">
          <Link to={`/people/${data.user.id}`}>
            <Text>{data.user.username}</Text>
          </Link>
        </Fact>
      </dl>
      {data.duplicates.length > 0 && (
        <div class="note caution">
          <p>
            <strong>
              {data.duplicates.length === 1 ? "Another account has" : `${data.duplicates.length} other accounts have`}{" "}
              this number.
            </strong>
          </p>
          <ul>
            {data.duplicates.map((other) => (
              <li key={other.id}>
                <Link to={`/review/${other.id}`}>
                  <Text>{other.username}</Text>
                </Link>{" "}
                <Mark of={other.status} />{" "}
                <small>
                  <Day at={other.submitted_at} />
                </small>
              </li>
            ))}
          </ul>
        </div>
      )}
      {data.seen_by && (
        <p class="note">
          <Text>{data.seen_by.username}</Text> opened these documents {ago(data.seen_by.viewed_at)}. Ask before you
          decide.
        </p>
      )}
      {data.reopened && (
        <p class="note">
          <Text none="A former colleague">{data.reopened.viewer?.username}</Text> took the last decision back{" "}
          {ago(data.reopened.reopened_at)}: <Text>{data.reopened.reason}</Text>
        </p>
      )}
      {data.approvals.map(({ viewer, approved_at }) => (
        <p class="note" key={approved_at}>
          Approved by <Text none="a former colleague">{viewer?.username}</Text> {ago(approved_at)}; one more approval is
          needed.
        </p>
      ))}
      {data.rejection_reason && (
        <p class="small">
          Told the person: <Text>{data.rejection_reason}</Text>
        </p>
      )}
    </section>
  );
}
