import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { post } from "../../support/service/http.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { findChromium } from "./chromium.js";
import type { ShownAnswer } from "./page.js";
import { type Loss, type Site, startSite } from "./site.js";

/** For a browser on a busy machine. */
const ARRIVAL_LIMIT_MS = 20_000;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const PAYMENT = JSON.stringify({
  amount: { currencyCode: "EUR", minorUnits: "1999" },
  paymentMethod: "tok_visa",
});

const executablePath = findChromium();

describe.skipIf(executablePath === undefined)("a checkout in Chromium", () => {
  let cluster: Cluster;
  let processor: Processor;
  let browser: Browser;
  let site: Site;
  let page: Page;

  beforeAll(async () => {
    cluster = await startCluster({ services: 1 });
    processor = openProcessor(cluster.sandbox.address);
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox"], // its own sandbox refuses to run as root
    });
  });

  afterAll(async () => {
    await browser?.close();
    processor?.close();
    await cluster?.stop();
  });

  beforeEach(async () => {
    site = await startSite(serviceAddress());
    page = await browser.newPage();
  });

  afterEach(async () => {
    await page?.context().close();
    await site?.close();
  });

  function serviceAddress(): string {
    return cluster.services[0]?.httpAddress ?? "";
  }

  /** All that the page shows, once it is so many answers. */
  async function answers(count: number): Promise<readonly ShownAnswer[]> {
    await page.locator(`#answers li:nth-child(${count})`).waitFor();
    const texts = await page.locator("#answers li").allTextContents();
    expect(texts).toEqual(Array.from({ length: count }, () => expect.stringMatching(/^{/)));
    return texts.map((text): ShownAnswer => JSON.parse(text));
  }

  /** How many effects the processor has done while this lasted. */
  async function effectsDuring(work: () => Promise<void>): Promise<number> {
    const before = await processor.countEffects();
    await work();
    return (await processor.countEffects()) - before;
  }

  describe.each(["Connect", "gRPC-Web"])("over %s", (protocol) => {
    const open = (paymentMethod: string) =>
      page.goto(`${site.url}/?${new URLSearchParams({ protocol, paymentMethod })}`);

    it("makes one payment under one key of a click", async () => {
      const effects = await effectsDuring(async () => {
        await open("tok_visa");
        await page.click("#pay-now");
        const [answer] = await answers(1);
        expect(answer).toMatchObject({ status: "CAPTURED", replayed: false, attempts: ["OK"] });
        expect(answer?.key).toMatch(UUID);
        expect(site.keys).toEqual([answer?.key]);
      });
      expect(effects).toBe(1);
    });

    it.each<Loss>(["all of it", "half of it"])(
      "makes one payment under one key of a click whose reply is lost, %s",
      async (loss) => {
        const effects = await effectsDuring(async () => {
          await open("tok_visa");
          site.loseNextReply(loss);
          await page.click("#pay-now");
          const [answer] = await answers(1);
          expect(answer).toMatchObject({ status: "CAPTURED", replayed: true });
          expect(site.keys).toEqual([answer?.key, answer?.key]);
        });
        expect(effects).toBe(1);
      },
    );

    it("makes one payment of a double click: the second is told to wait, then answered the same", async () => {
      const effects = await effectsDuring(async () => {
        await open("tok_slow");
        await page.dblclick("#pay-cart");
        const both = await answers(2);
        expect(new Set(both.map(({ payment }) => payment)).size).toBe(1);
        expect(new Set(site.keys)).toEqual(new Set(both.map(({ key }) => key)));
        expect(both).toContainEqual(expect.objectContaining({ replayed: false, attempts: ["OK"] }));
        expect(both).toContainEqual(
          expect.objectContaining({
            replayed: true,
            attempts: expect.arrayContaining(["Aborted", "OK"]),
          }),
        );
      });
      expect(new Set(site.keys).size).toBe(1);
      expect(effects).toBe(1);
    });

    it("makes one payment under the saved key when the page is loaded again meanwhile", async () => {
      const effects = await effectsDuring(async () => {
        await open("tok_slow");
        await page.click("#pay-cart");
        await waitUntil(() => site.keys.length === 1, ARRIVAL_LIMIT_MS);
        await page.reload();
        const [answer] = await answers(1);
        expect(answer).toMatchObject({ status: "CAPTURED", replayed: true });
        expect(site.keys.length).toBeGreaterThan(1);
        expect(new Set(site.keys)).toEqual(new Set([answer?.key]));
      });
      expect(effects).toBe(1);
    });
  });

  it("cannot be made by a page of another site", async () => {
    const call = {
      address: serviceAddress(),
      method: "CreatePayment",
      key: "foreign",
      body: PAYMENT,
    };
    await page.goto(site.url);
    const effects = await effectsDuring(async () => {
      const outcome = await page.evaluate(async ({ address, method, key, body }) => {
        const url = `http://${address}/payonce.payments.v1.PaymentService/${method}`;
        const headers = { "content-type": "application/json", "idempotency-key": key };
        return fetch(url, { method: "POST", headers, body }).then(
          ({ status }) => String(status),
          (error) => String(error),
        );
      }, call);
      expect(outcome).toBe("TypeError: Failed to fetch");
    });
    expect(effects).toBe(0);
    expect((await post(call)).status).toBe(200);
  });
});
