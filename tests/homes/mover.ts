import { type Directory, type Key, type Place, textOf } from "./directory.ts";
import { fence, fenceTarget, holderOf, identifiersOf, open, type Scope } from "./fences.ts";
import { compareRows, copyRows, deleteRows, type Owner } from "./moved-rows.ts";
import { pause, type Router, type Way } from "./router.ts";

const STEPS = ["mark", "fence", "claim", "clear", "copy", "compare", "flip", "open", "delete", "settle"] as const;
export type Step = (typeof STEPS)[number];
export const steps: readonly Step[] = STEPS;

/** How a mover works. */
export interface Plan {
  /** Steps that follow each state, up to the next state. */
  moving: readonly Step[];
  settling: readonly Step[];
  /** Which identifiers it fences, claims and moves with a user. */
  identifiers: Scope;
}

export const plan: Plan = {
  moving: ["fence", "claim", "clear", "copy", "compare", "flip"],
  settling: ["open", "delete", "settle"],
  identifiers: "all",
};

/** Movers with a mistake, each of which loses something. */
export const naivePlans = {
  /** Flips the directory first and fences the old home afterwards. */
  fencesLate: { ...plan, moving: ["clear", "copy", "flip"], settling: ["fence", "open", "delete", "settle"] },
  /** Moves the user without the directory's entries of their identifiers. */
  claimsNothing: { ...plan, moving: plan.moving.filter((step) => step !== "claim") },
  /** Moves only the identifiers that the user has now, without those that the user may take back. */
  forgetsFormer: { ...plan, identifiers: "present" },
} satisfies Record<string, Plan>;

interface Move {
  party: Key;
  place: Place;
  source: D1Database;
  target: D1Database;
}

/** Called after each step; if it throws, the mover dies there. */
export type AfterStep = (step: Step) => Promise<void>;
const goOn: AfterStep = async () => {};

/**
 * Moves parties, which are users or identifiers that nobody has, between homes while they are in use. Every step may
 * run twice, so another mover can continue a move from the directory's state. A party has one mover at a time.
 */
export class Mover {
  private readonly directory: Directory;
  private readonly router: Pick<Router, "homeNamed" | "first">;
  private readonly plan: Plan;
  private readonly busy = new Map<string, Promise<void>>();

  constructor(directory: Directory, router: Pick<Router, "homeNamed" | "first">, given: Plan = plan) {
    this.directory = directory;
    this.router = router;
    this.plan = given;
  }

  /** Moves the party if it is settled elsewhere, or continues its move. */
  move(party: Key, target: string, after = goOn): Promise<void> {
    return this.alone(party, async () => {
      await this.directory.markMoving(party, target);
      await after("mark");
      await this.continue(party, after);
    });
  }

  /** Continues a move from the state that the directory has. */
  resume(party: Key, after = goOn): Promise<void> {
    return this.alone(party, () => this.continue(party, after));
  }

  /**
   * Brings an identifier to a user's home before the user may get it there.
   *
   * @returns whether it is there; false if it is another user's.
   */
  async bring(
    identifier: string,
    userId: string,
    home: string,
    { onWait, after = goOn }: Pick<Way, "onWait"> & { after?: AfterStep } = {},
  ): Promise<boolean> {
    const party = { identifier };
    await this.directory.add(party, this.router.first);
    for (let attempt = 0; ; attempt++) {
      const place = await this.directory.find(party);
      if (!place) throw new Error(`the directory has lost ${identifier}`);
      if (place.id === textOf({ user: userId })) return true;
      if (place.home === home && place.state === "settled") return true;
      if (place.id === textOf(party)) {
        await this.move(party, home, after);
      } else {
        // The directory may not have followed yet.
        await this.confirm(place.id.slice("user:".length));
        if (place.state === "settled" && (await this.directory.find(party))?.id === place.id) return false;
      }
      onWait?.();
      await pause(attempt, `${identifier} in ${home}`);
    }
  }

  /** Tells the directory which identifiers a settled user has, as the event of a change does. */
  async confirm(userId: string): Promise<void> {
    const place = await this.directory.find({ user: userId });
    if (place?.state !== "settled") return;
    const identifiers = await identifiersOf(this.router.homeNamed(place.home), userId, this.plan.identifiers);
    const keys = (identifiers ?? []).map((identifier) => textOf({ identifier }));
    await this.directory.assign(place, keys);
  }

  private async alone(party: Key, work: () => Promise<void>): Promise<void> {
    const id = textOf(party);
    while (this.busy.has(id)) await this.busy.get(id);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.busy.set(id, promise);
    try {
      await work();
    } finally {
      this.busy.delete(id);
      resolve();
    }
  }

  private async continue(party: Key, after: AfterStep): Promise<void> {
    for (;;) {
      const place = await this.directory.find(party);
      if (place?.id !== textOf(party) || !place.other || place.state === "settled") return;
      const [own, other] = [this.router.homeNamed(place.home), this.router.homeNamed(place.other)];
      const isFlipped = place.state === "settling";
      const move = { party, place, source: isFlipped ? other : own, target: isFlipped ? own : other };
      for (const step of this.plan[place.state]) {
        if ((await this.run(step, move)) === "given up") return;
        await after(step);
      }
    }
  }

  private async run(step: Step, move: Move): Promise<unknown> {
    const { party, place, source, target } = move;
    switch (step) {
      case "mark":
        return undefined;
      case "fence":
        return fence(source, party, place.move, this.plan.identifiers);
      case "claim":
        return this.claim(move);
      case "clear":
        return this.clear(move);
      case "copy":
        return copyRows(source, target, await this.ownerOf(move));
      case "compare":
        return compareRows(source, target, await this.ownerOf(move));
      case "flip":
        return this.directory.flip(place);
      case "open":
        return open(target, place.move);
      case "delete":
        return deleteRows(source, await this.ownerOf(move));
      case "settle":
        return this.directory.settle(place);
    }
  }

  /**
   * Ensures that all fenced keys belong to the party: assigns a user's identifiers to the user in the directory, once
   * moves of these identifiers have ended. Gives the move up if the user is deleted or the identifier has a holder.
   */
  private async claim(move: Move): Promise<"claimed" | "given up"> {
    const { party, place, source } = move;
    if ("identifier" in party) {
      const holder = await holderOf(source, party.identifier);
      if (holder === undefined) return "claimed";
      await this.giveUp(move);
      await this.confirm(holder);
      return "given up";
    }
    const identifiers = await identifiersOf(source, party.user, this.plan.identifiers);
    if (!identifiers) {
      await this.giveUp(move);
      return "given up";
    }
    const keys = identifiers.map((identifier) => textOf({ identifier }));
    for (let attempt = 0; ; attempt++) {
      const missing = await this.directory.assign(place, keys);
      if (missing.length === 0) return "claimed";
      for (const key of missing) {
        const identifier = { identifier: key.slice("identifier:".length) };
        await this.directory.add(identifier, place.home);
        await this.resume(identifier);
      }
      await pause(attempt, `the identifiers of ${party.user}`);
    }
  }

  private async giveUp({ source, place }: Move): Promise<void> {
    await open(source, place.move);
    await this.directory.unmark(place);
  }

  /** Fences the new home, and deletes what an earlier attempt has copied. */
  private async clear(move: Move): Promise<void> {
    const owner = await this.ownerOf(move);
    const keys = owner.identifiers.map((identifier) => ({ identifier }));
    await fenceTarget(move.target, owner.userId === undefined ? keys : [move.party, ...keys], move.place.move);
    await deleteRows(move.target, owner);
  }

  /** Whose rows move, read from the old home, where nothing changes after the fence. */
  private async ownerOf({ party, source }: Move): Promise<Owner> {
    if ("identifier" in party) return { identifiers: [party.identifier] };
    const identifiers = await identifiersOf(source, party.user, this.plan.identifiers);
    return { userId: party.user, identifiers: identifiers ?? [] };
  }
}
