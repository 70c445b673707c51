import type { Browser } from "playwright-core";

/** A drawn certificate, for a person who does not exist. */
export interface Certificate {
  name: string;
  number: string;
  /** Bikram Sambat, as on Nepali certificates. */
  born: string;
  address: string;
  /** The back instead of the front. */
  isBack?: true;
  /** Quarter turns by which the photo was taken. */
  turns?: number;
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function front({ name, number, born, address }: Certificate): string {
  const row = (label: string, value: string) => `<p><b>${label}</b>${escaped(value)}</p>`;
  return `<h1>SPECIMEN<small>Certificate of a person who does not exist</small></h1>
    <div class="photo"><i></i><i></i></div>
    <section>${row("No.", number)}${row("Name", name)}${row("Born (BS)", born)}${row("Address", address)}</section>`;
}

const back = ({ number }: Certificate) => `<h1>SPECIMEN<small>Back</small></h1>
    <section><p><b>No.</b>${escaped(number)}</p><p><b>Issued</b>District office, 2076-04-12</p></section>
    <div class="prints"><i></i><i></i></div>`;

/** Draws the certificate as a photo of it on a table: a JPEG. */
export async function drawCertificate(browser: Browser, certificate: Certificate): Promise<Blob> {
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  await page.setContent(`<style>
    body { margin: 0; height: 100vh; display: grid; place-items: center; background: linear-gradient(160deg, #7d6a55, #4c3f33); font: 28px/1.5 "Noto Sans", sans-serif }
    main { width: 980px; height: 620px; box-sizing: border-box; padding: 34px 44px; rotate: -1.2deg; background: #f3efe0; border: 6px double #5d7f6b; border-radius: 14px; box-shadow: 0 18px 50px #0009; color: #1f2f28; position: relative }
    h1 { margin: 0 0 26px; font-size: 44px; letter-spacing: .22em; text-align: center; color: #3f6a55 } h1 small { display: block; font-size: 20px; letter-spacing: 0; font-weight: 400 }
    .photo { float: right; width: 190px; height: 240px; background: #cfd8d2; border: 3px solid #8fa398; position: relative; overflow: hidden }
    .photo i { position: absolute; left: 55px; top: 40px; width: 80px; height: 95px; border-radius: 50%; background: #8d9c94 } .photo i + i { left: 10px; top: 150px; width: 170px; height: 150px }
    p { margin: 0 0 16px } b { display: inline-block; width: 190px; font-weight: 500; color: #5c6e65 }
    .prints { display: flex; gap: 60px; margin-top: 40px } .prints i { width: 150px; height: 190px; border-radius: 50%; background: repeating-radial-gradient(ellipse, #6b6f8a 0 3px, #d9d6cc 3px 8px) }
  </style><main>${certificate.isBack ? back(certificate) : front(certificate)}</main>`);
  if (certificate.turns) {
    await page.setViewportSize({ width: 800, height: 1200 });
    await page.addStyleTag({ content: `main { rotate: ${certificate.turns * 90 - 1.2}deg }` });
  }
  const bytes = await page.screenshot({ type: "jpeg", quality: 80 });
  await page.close();
  return new Blob([new Uint8Array(bytes)], { type: "image/jpeg" });
}

/** The certificate as a PDF of one page. */
export async function printCertificate(browser: Browser, certificate: Certificate): Promise<Blob> {
  const page = await browser.newPage();
  await page.setContent(`<body style="font: 24px sans-serif">${front(certificate)}</body>`);
  const bytes = await page.pdf({ format: "A5" });
  await page.close();
  return new Blob([new Uint8Array(bytes)], { type: "application/pdf" });
}
