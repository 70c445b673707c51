import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { printCertificate } from "../../tests/browser/console-documents.ts";
import { openPage, openStage, type Stage, signIn } from "../../tests/browser/console-stage.ts";

const people = [
  {
    name: "Sita Shrestha",
    born: "1994-05-12",
    bs: "2051-01-29",
    address: "Lakeside, Pokhara",
    number: "27-01-75-04321",
  },
  {
    name: "Bishal Tamang",
    born: "1999-11-02",
    bs: "2056-07-16",
    address: "Boudha, Kathmandu",
    number: "25-03-70-11873",
  },
  {
    name: "Anita Chaudhary",
    born: "1988-02-20",
    bs: "2044-11-08",
    address: "Tikapur, Kailali",
    number: "71-02-69-00412",
  },
];

/** People whose documents wait, one of them with a number that another has, and one with a PDF. */
async function fillQueue(stage: Stage): Promise<void> {
  for (const [i, { name, born, bs, address, number }] of people.entries()) {
    const person = await stage.signUp(name, { full_name: name, date_of_birth: born, address });
    const drawn = { name, number, born: bs, address };
    const front = i === 2 ? await printCertificate(stage.browser, drawn) : drawn;
    await stage.submit(person, number, { front, back: { ...drawn, isBack: true } });
  }
  const copy = await stage.signUp("Sita S", { full_name: "Sita S.", date_of_birth: "1994-05-12", address: "Pokhara" });
  const drawn = { name: "Sita Shrestha", number: "27 01 75 04321", born: "2051-01-29", address: "Lakeside, Pokhara" };
  await stage.submit(copy, drawn.number, { front: { ...drawn, turns: 1 } });
}

async function shoot(page: Page, folder: string, name: string): Promise<void> {
  await page.waitForSelector(".loading", { state: "detached" });
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  console.log(`${name}.png`);
}

/** Writes the pictures of the staff console to the folder. */
export async function takeScreenshots(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const stage = await openStage();
  try {
    await fillQueue(stage);
    const staff = await stage.newStaff("Bina Rai");
    const { page } = await openPage(stage, { viewport: { width: 1280, height: 800 } });
    await signIn(stage, page, staff);
    const visit = (path: string) => page.goto(`${stage.base}/console${path}`);

    await visit("/today");
    await page.waitForSelector(".plot");
    await shoot(page, folder, "today");
    await visit("/people");
    await page.waitForSelector("tbody tr");
    await page.fill("input[type=search]", "shrestha sita");
    await page.keyboard.press("Enter");
    await page.waitForTimeout(500);
    await shoot(page, folder, "people");
    await page.locator("tbody a").first().click();
    await page.waitForSelector(".grid");
    await shoot(page, folder, "person");
    await visit("/review");
    await page.locator(".picture img:visible").waitFor();
    await shoot(page, folder, "review");
    await page.keyboard.press("x");
    await page.keyboard.press("5");
    await page.locator("fieldset").scrollIntoViewIfNeeded();
    await shoot(page, folder, "review-reject");
  } finally {
    await stage.close();
  }
}
