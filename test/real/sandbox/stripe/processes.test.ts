import { describe, expect, it, onTestFinished } from "vitest";
import { startSandboxUnderTest } from "../../../support/servers/sandbox.js";
import { temporaryDirectory } from "../support.js";
import { charge, isReplayed, key, stripeClient, stripeFailure } from "./support.js";

async function start(dataDir: string) {
  const sandbox = await startSandboxUnderTest(dataDir, {
    SANDBOX_STRIPE_LISTEN: "127.0.0.1:0",
  });
  onTestFinished(() => sandbox.stop());
  return { ...sandbox, stripe: stripeClient(sandbox.stripeAddress ?? "") };
}

describe("payonce sandbox with SANDBOX_STRIPE_LISTEN", () => {
  it("that is killed with kill -9 has lost nothing that it answered", async () => {
    const dataDir = await temporaryDirectory();
    const first = await start(dataDir);
    const waiting = charge({ payment_method: "pm_card_authenticationRequired" });
    const failing = charge({ payment_method: "tok_error_after_charge" });
    const one = await first.stripe.paymentIntents.create(charge(), key("key-1"));
    const two = await first.stripe.paymentIntents.create(waiting, key("key-2"));
    await stripeFailure(first.stripe.paymentIntents.create(failing, key("key-3")));
    first.kill("SIGKILL");
    await first.exited;

    const { stripe } = await start(dataDir);

    const again = await stripe.paymentIntents.create(charge(), key("key-1"));
    expect({ ...again, lastResponse: null }).toEqual({ ...one, lastResponse: null });
    expect(isReplayed(again)).toBe(true);
    expect(await stripe.paymentIntents.create(waiting, key("key-2"))).toMatchObject({
      id: two.id,
      status: "requires_action",
    });
    const failure = await stripeFailure(stripe.paymentIntents.create(failing, key("key-3")));
    expect(failure.statusCode).toBe(500);
    expect((await stripe.paymentIntents.list()).data).toHaveLength(3);
  });

  it("that is killed under load has every answered effect, once", async () => {
    const dataDir = await temporaryDirectory();
    const first = await start(dataDir);
    const answered: string[] = [];
    const payUntilCutOff = async (client: number) => {
      for (let index = 0; index < 10_000; index += 1) {
        const metadata = { payonce_payment_id: `${client}-${index}` };
        const { id } = await first.stripe.paymentIntents.create(
          charge({ metadata }),
          key(`${client}-${index}`),
        );
        answered.push(id);
        if (answered.length === 200) {
          first.kill("SIGKILL");
        }
      }
    };
    await Promise.all(
      Array.from({ length: 20 }, (_, client) => payUntilCutOff(client).catch(() => undefined)),
    );

    const { stripe } = await start(dataDir);
    const found: string[] = [];
    const names: (string | undefined)[] = [];
    for await (const { id, metadata } of stripe.paymentIntents.list({ limit: 100 })) {
      found.push(id);
      names.push(metadata.payonce_payment_id);
    }

    expect(new Set(names).size).toBe(names.length);
    expect(answered.filter((id) => !found.includes(id))).toEqual([]);
  });
});
