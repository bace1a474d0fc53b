// The official TypeScript client, second generation (npm: @modelcontextprotocol/client), in each of its modes.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { play, shown } from "./script.mjs";

async function connect({ url, mode }, token) {
  const versionNegotiation = { mode: mode.startsWith("2") ? { pin: mode } : mode };
  const client = new Client({ name: "crm-script", version: "1.0.0" }, { versionNegotiation });
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return {
    version: client.getNegotiatedProtocolVersion(),
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args, said) => {
      const onprogress = said && ((step) => said.push([step.progress, step.total, step.message ?? null]));
      const answer = await client.callTool({ name, arguments: args }, { onprogress });
      return shown(answer);
    },
    close: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}

await play(connect);
