import { type ConnectPeer, KEPT_MS, PREFIX, requestOf, requirePackage } from "./peer.js";

interface Core {
  readonly Idempotency: new (
    storage: unknown,
    options: { readonly cacheKeyPrefix: string; readonly cacheTTLMS: number },
  ) => {
    onRequest(request: Request): Promise<{ readonly body: string } | undefined>;
    onResponse(request: Request, response: { readonly body: string }): Promise<void>;
  };
}

interface Storage {
  readonly RedisStorageAdapter: new (options: {
    readonly url: string;
  }) => { connect(): Promise<void> };
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What its fingerprint is made of. */
  readonly body: object;
}

/** `@node-idempotency/core` with its adapter for Redis, used as its Readme shows. */
export const connectNodeIdempotency: ConnectPeer = async ({ handler, redisUrl, packages }) => {
  const { Idempotency } = requirePackage<Core>(packages, "@node-idempotency/core");
  const { RedisStorageAdapter } = requirePackage<Storage>(
    packages,
    "@node-idempotency/storage-adapter-redis",
  );
  const storage = new RedisStorageAdapter({ url: redisUrl });
  await storage.connect();
  return () => {
    const idempotency = new Idempotency(storage, { cacheKeyPrefix: PREFIX, cacheTTLMS: KEPT_MS });
    return async (key) => {
      const request: Request = {
        method: "POST",
        path: "/payments",
        headers: { "idempotency-key": key },
        body: requestOf(key),
      };
      const kept = await idempotency.onRequest(request);
      if (kept !== undefined) {
        return kept.body;
      }
      const body = await handler(key);
      await idempotency.onResponse(request, { body });
      return body;
    };
  };
};
