import { describeService, field, repeated } from "./describe.js";

const SCOPE = "grpc.health.v1";

/** The schema of gRPC health checking, which grpc-health-check serves but cannot describe. */
export const healthService = describeService({
  name: "grpc/health/v1/health.proto",
  package: SCOPE,
  messageType: [
    { name: "HealthListRequest" },
    {
      name: "HealthListResponse",
      field: [
        repeated(field("statuses", 1, { message: `.${SCOPE}.HealthListResponse.StatusesEntry` })),
      ],
      nestedType: [
        {
          name: "StatusesEntry",
          options: { mapEntry: true },
          field: [
            field("key", 1, "string"),
            field("value", 2, { message: `.${SCOPE}.HealthCheckResponse` }),
          ],
        },
      ],
    },
    { name: "HealthCheckRequest", field: [field("service", 1, "string")] },
    {
      name: "HealthCheckResponse",
      field: [field("status", 1, { enum: `.${SCOPE}.HealthCheckResponse.ServingStatus` })],
      enumType: [
        {
          name: "ServingStatus",
          value: ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"].map((name, number) => ({
            name,
            number,
          })),
        },
      ],
    },
  ],
  service: [
    {
      name: "Health",
      method: [
        {
          name: "Check",
          inputType: `.${SCOPE}.HealthCheckRequest`,
          outputType: `.${SCOPE}.HealthCheckResponse`,
        },
        {
          name: "Watch",
          inputType: `.${SCOPE}.HealthCheckRequest`,
          outputType: `.${SCOPE}.HealthCheckResponse`,
          serverStreaming: true,
        },
        {
          name: "List",
          inputType: `.${SCOPE}.HealthListRequest`,
          outputType: `.${SCOPE}.HealthListResponse`,
        },
      ],
    },
  ],
});
