import { textOf } from "./directory.ts";
import { holderOf } from "./fences.ts";
import { rowsOf } from "./moved-rows.ts";
import type { Person } from "./person.ts";

/**
 * Problems with the identifiers that the person has or had. Each must be in one home, and the directory must name that
 * home and the holder: this person, a person who took the identifier once it was free, or nobody.
 */
export async function findIdentifierProblems(person: Person): Promise<string[]> {
  const own = person.isGone ? [] : person.identifiers();
  const identifiers = new Set([...own, ...person.freed]);
  const problems = await Promise.all([...identifiers].map((each) => findProblems(person, each, own.includes(each))));
  return problems.flat();
}

async function findProblems({ service, userId }: Person, identifier: string, isOwn: boolean): Promise<string[]> {
  const { directory, router, homes } = service;
  const place = await directory.find({ identifier });
  const home = router.homeNamed(place?.home ?? router.first);
  const holders = await Promise.all(homes.map((db) => holderOf(db, identifier)));
  const found = holders.filter((holder) => holder !== undefined);
  const listed = place === undefined || place.id === textOf({ identifier }) ? undefined : place.id;
  const wanted = found[0] === undefined ? undefined : textOf({ user: found[0] });
  const elsewhere = await Promise.all(
    homes.filter((db) => db !== home).map((db) => rowsOf(db, { identifiers: [identifier] })),
  );
  return [
    ...(place === undefined || place.state === "settled" ? [] : [`${identifier} is ${place.state}`]),
    ...(found.length > 1 ? [`${identifier} is of two people`] : []),
    ...(isOwn && found[0] !== userId ? [`${identifier} is of ${found[0]}`] : []),
    ...(!isOwn && found[0] === userId ? [`${identifier} is still of this person`] : []),
    ...(listed === wanted ? [] : [`the directory gives ${identifier} to ${listed}, not ${wanted}`]),
    ...(wanted === undefined || holders[homes.indexOf(home)] !== undefined ? [] : [`${identifier} is in another home`]),
    ...elsewhere
      .flat()
      .flatMap(({ name, rows }) => (rows.length > 0 ? [`${name} of ${identifier} in another home`] : [])),
  ];
}
