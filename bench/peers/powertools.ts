import { type ConnectPeer, KEPT_MS, LEASE_MS, PREFIX, requestOf, requirePackage } from "./peer.js";

type Request = ReturnType<typeof requestOf>;

interface Idempotency {
  readonly IdempotencyConfig: new (options: {
    readonly eventKeyJmesPath: string;
    readonly expiresAfterSeconds: number;
    readonly lambdaContext: { getRemainingTimeInMillis(): number };
  }) => object;
  makeIdempotent(
    handler: (request: Request) => Promise<string>,
    options: {
      readonly persistenceStore: object;
      readonly config: object;
      readonly keyPrefix: string;
    },
  ): (request: Request) => Promise<string>;
}

interface Cache {
  readonly CachePersistenceLayer: new (options: { readonly client: object }) => object;
}

interface RedisClient {
  createClient(options: { readonly url: string }): { connect(): Promise<object> };
}

/**
 * `@aws-lambda-powertools/idempotency` with its persistence in a cache, over
 * the client of Redis that its documentation names. Its check of the payload is
 * off: with a cache it refuses every replay (see `differences`).
 */
export const connectPowertools: ConnectPeer = async ({ handler, redisUrl, packages }) => {
  const name = "@aws-lambda-powertools/idempotency";
  const { IdempotencyConfig, makeIdempotent } = requirePackage<Idempotency>(packages, name);
  const { CachePersistenceLayer } = requirePackage<Cache>(packages, `${name}/cache`);
  const { createClient } = requirePackage<RedisClient>(packages, "@redis/client");
  const client = await createClient({ url: redisUrl }).connect();
  return () => {
    const call = makeIdempotent(({ key }) => handler(key), {
      persistenceStore: new CachePersistenceLayer({ client }),
      config: new IdempotencyConfig({
        eventKeyJmesPath: "key",
        expiresAfterSeconds: KEPT_MS / 1000,
        // Without it, a call in progress counts as abandoned at once.
        lambdaContext: { getRemainingTimeInMillis: () => LEASE_MS },
      }),
      keyPrefix: PREFIX,
    });
    return (key) => call(requestOf(key));
  };
};
