import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { signOut, type User, useSession } from "./api/session.ts";
import { Curtain } from "./screens/curtain.tsx";
import { Delivery } from "./screens/delivery.tsx";
import { Jobs } from "./screens/jobs.tsx";
import { Letters } from "./screens/letters.tsx";
import { OwnPasskeys } from "./screens/own-passkeys.tsx";
import { PasskeyNeeded } from "./screens/passkey-needed.tsx";
import { People } from "./screens/people.tsx";
import { Person } from "./screens/person.tsx";
import { ProofDialog } from "./screens/proof-dialog.tsx";
import { Review } from "./screens/review.tsx";
import { Bolt, SignIn } from "./screens/sign-in.tsx";
import { Staff } from "./screens/staff.tsx";
import { Today } from "./screens/today.tsx";
import { Head } from "./ui/head.tsx";
import { Icon, type IconName } from "./ui/icons.tsx";
import { useKeys } from "./ui/keys.ts";
import { KeysDialog } from "./ui/keys-dialog.tsx";
import { go, Link, type Place, usePlace } from "./ui/router.tsx";

interface Screen {
  path: string;
  name: string;
  /** Absent for a screen that is not in the menu. */
  icon?: IconName;
  isForAdmins?: true;
  show: (rest: string[], place: Place) => VNode;
}

/** The reader's own passkeys, below the menu. */
const OWN = "/passkeys";

/** Every screen. `rest` is what follows its path in the address. */
const screens: readonly Screen[] = [
  { path: "/today", name: "Today", icon: "today", show: () => <Today /> },
  {
    path: "/people",
    name: "People",
    icon: "people",
    show: ([id, part]) => (id ? <Person key={id} id={id} part={part} /> : <People />),
  },
  { path: "/review", name: "Review", icon: "review", show: ([id]) => <Review id={id} /> },
  { path: "/delivery", name: "Delivery", icon: "delivery", show: () => <Delivery /> },
  { path: "/letters", name: "Dead letters", icon: "letters", isForAdmins: true, show: () => <Letters /> },
  { path: "/staff", name: "Staff", icon: "staff", isForAdmins: true, show: ([id]) => <Staff id={id} /> },
  { path: "/jobs", name: "Jobs", icon: "jobs", isForAdmins: true, show: () => <Jobs /> },
  { path: OWN, name: "Your passkeys", show: () => <OwnPasskeys /> },
];

const START = screens[0]?.path ?? "/";

/** The page: sign-in, the curtain, or the frame with a screen. */
export function App() {
  const session = useSession();
  if (session.is === "starting")
    return (
      <p class="loading" role="status">
        Loading…
      </p>
    );
  if (session.is === "out") return <SignIn notice={session.notice} isPending={session.isPending} />;
  if (session.is === "hidden") return <Curtain user={session.user} />;
  return (
    <>
      {session.user.passkey_required ? <PasskeyNeeded user={session.user} /> : <Frame user={session.user} />}
      <ProofDialog />
    </>
  );
}

function Frame({ user }: { user: User }) {
  const place = usePlace();
  const [areKeysOpen, setKeysOpen] = useState(false);
  const shown = screens.filter(({ isForAdmins }) => !isForAdmins || user.role === "admin");
  const [, first = "", ...rest] = (place.path === "/" ? START : place.path).split("/");
  const screen = shown.find(({ path }) => path === `/${first}`);
  useKeys({
    "?": () => setKeysOpen(true),
    "/": () => {
      const search = document.querySelector<HTMLInputElement>("input[type=search]");
      if (search) search.focus();
      else go("/people");
    },
  });
  return (
    <div class="frame">
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header class="side">
        <p class="brand">
          <Bolt /> <span>Staff console</span>
        </p>
        <nav aria-label="Screens">
          {shown.map(
            ({ path, name, icon }) =>
              icon && (
                <Link key={path} to={path} current={screen?.path === path}>
                  <Icon name={icon} /> {name}
                </Link>
              ),
          )}
        </nav>
        <div class="me">
          <p>
            <bdi>{user.username}</bdi>
            <small>{user.role === "admin" ? "Admin" : "Staff"}</small>
          </p>
          <div class="row">
            <Link to={OWN} class="quiet" current={screen?.path === OWN}>
              Passkeys
            </Link>
            <button type="button" class="quiet" onClick={() => setKeysOpen(true)}>
              Keys
            </button>
            <button type="button" class="quiet" onClick={() => void signOut()}>
              Sign out
            </button>
          </div>
        </div>
      </header>
      <main id="content">{screen ? screen.show(rest, place) : <Unknown />}</main>
      {areKeysOpen && <KeysDialog onClose={() => setKeysOpen(false)} />}
    </div>
  );
}

function Unknown() {
  return (
    <>
      <Head title="Not found" />
      <p>There is no such screen, or it is for admins.</p>
    </>
  );
}
