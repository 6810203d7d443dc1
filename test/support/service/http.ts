/** What an HTTP call brought back. */
export interface HttpResult {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** The body as text, for JSON. */
  readonly text: string;
}

export interface HttpCall {
  /** host:port of the service's HTTP side. */
  readonly address: string;
  readonly method: string;
  /** JSON text, or a serialized message. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly key?: string;
}

/** Calls a method of the payment service over HTTP, as a browser or curl would. */
export async function post({ address, method, body, key }: HttpCall): Promise<HttpResult> {
  const response = await fetch(`http://${address}/payonce.payments.v1.PaymentService/${method}`, {
    method: "POST",
    headers: {
      "content-type": typeof body === "string" ? "application/json" : "application/proto",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    body,
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return {
    status: response.status,
    headers: response.headers,
    body: bytes,
    text: new TextDecoder().decode(bytes),
  };
}
