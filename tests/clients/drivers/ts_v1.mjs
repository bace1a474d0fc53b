// The official TypeScript SDK, first generation (npm: @modelcontextprotocol/sdk).

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { play, shown } from "./script.mjs";

async function connect({ url }, token) {
  const client = new Client({ name: "crm-script", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return {
    // The oldest does not tell.
    version: transport.protocolVersion ?? null,
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args, said) => {
      const onprogress = said && ((step) => said.push([step.progress, step.total, step.message ?? null]));
      const answer = await client.callTool({ name, arguments: args }, CallToolResultSchema, { onprogress });
      return shown(answer);
    },
    close: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}

await play(connect);
