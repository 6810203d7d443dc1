// What an adapter for an acquirer is tested with: see docs/write-a-processor.md.

export { type ContractTest, processorContract } from "./contract.js";
export type {
  DoubleEffect,
  FaultKind,
  PaymentMethods,
  PaymentNames,
  ProcessorContractSetup,
  ProcessorDouble,
  ProcessorFault,
  ProcessorUnderTest,
} from "./setup.js";
export { ContractViolation } from "./violation.js";
