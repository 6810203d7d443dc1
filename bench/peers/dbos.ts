import { type ConnectPeer, requestOf, requirePackage } from "./peer.js";

type Workflow = (request: ReturnType<typeof requestOf>) => Promise<string>;

interface Sdk {
  readonly DBOS: {
    setConfig(config: {
      readonly name: string;
      readonly systemDatabaseUrl: string;
      readonly logLevel: string;
    }): void;
    registerWorkflow(workflow: Workflow, options: { readonly name: string }): Workflow;
    launch(): Promise<void>;
    startWorkflow(
      workflow: Workflow,
      options: { readonly workflowID: string },
    ): (request: Parameters<Workflow>[0]) => Promise<{ getResult(): Promise<string> }>;
  };
}

/**
 * DBOS Transact, with the key as the workflow's id. The handler runs in the
 * workflow itself: a step of its own would cost one more commit, and a crash
 * before that commit would repeat it just the same.
 */
export const connectDbos: ConnectPeer = async ({ handler, databaseUrl, packages }) => {
  const { DBOS } = requirePackage<Sdk>(packages, "@dbos-inc/dbos-sdk");
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: databaseUrl, logLevel: "error" });
  const workflow = DBOS.registerWorkflow(({ key }) => handler(key), { name: "call" });
  await DBOS.launch();
  return () => async (key) => {
    const handle = await DBOS.startWorkflow(workflow, { workflowID: key })(requestOf(key));
    return handle.getResult();
  };
};
