// get_leads_count on the official TypeScript SDK, stateless, as its documentation shows.
import { readFileSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import express from "express";
import pg from "pg";
import { z } from "zod";

pg.types.setTypeParser(20, Number);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const statement = { name: "leads_count", text: readFileSync(process.env.STATEMENT, "utf8") };
const kept = process.env.CACHE === "memory" ? new Map() : null;

async function counted(args) {
  const values = [args.start, args.end, args.previous_start, args.previous_end];
  const key = values.join();
  if (kept?.has(key)) return kept.get(key);
  const figures = (await pool.query({ ...statement, values })).rows[0];
  kept?.set(key, figures);
  return figures;
}

const moment = z.string().datetime({ offset: true });
const figure = z.number().int();

function served() {
  const server = new McpServer({ name: "peer", version: "1.0.0" });
  server.registerTool(
    "get_leads_count",
    {
      description: "Count the leads created in a period, by decision, beside the period before.",
      inputSchema: { start: moment, end: moment, previous_start: moment, previous_end: moment },
      outputSchema: {
        total_leads: figure,
        qualified_leads: figure,
        unqualified_leads: figure,
        undecided_leads: figure,
        previous_total_leads: figure,
        opportunities: figure,
        qualified_in_period: figure,
      },
    },
    async (args) => {
      const figures = await counted(args);
      return { content: [{ type: "text", text: JSON.stringify(figures) }], structuredContent: figures };
    },
  );
  return server;
}

const app = express();
app.use(express.json());
app.post("/mcp", async (request, response) => {
  const server = served();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  response.on("close", () => {
    transport.close();
    server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
app.listen(Number(process.argv[2]), "127.0.0.1");
