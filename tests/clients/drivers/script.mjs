// What every JavaScript client is made to do: the same as script.py, with the same lines as output.
//
// A driver gives connect(job, token), which returns {version, tools(), call(name, args, said), close()}.

const STEP_SECONDS = 30;

export async function play(connect) {
  const job = JSON.parse(await text(process.stdin));
  const client = await step("connect", async () => {
    const connected = await connect(job, job.token);
    return [connected, { version: connected.version }];
  });
  if (client) {
    await step("list", async () => [null, { tools: await client.tools() }]);
    await step("read", () => called(client, "get_leads_count", { period: "all" }));
    await step("write", () => written(client, job));
    await step("progress", () => followed(client, job));
    await step("bad argument", () => called(client, "get_leads_count", { period: "fortnight" }));
    await step("unknown tool", () => called(client, "get_everything", {}));
    await client.close();
  }
  await step("refusal", () => refused(connect, job, job.weak_token));
  await step("stranger", () => refused(connect, job, "no.such.token"));
  // What a client leaves open after close() must not hold the run up.
  process.exit(0);
}

// What a client shows of a tool's answer.
export function shown(answer) {
  return {
    text: answer.content[0].text,
    fields: answer.structuredContent ?? null,
    is_error: answer.isError ?? false,
  };
}

async function called(client, name, args) {
  return [null, await client.call(name, args)];
}

async function written(client, job) {
  const args = { contact_id: job.contact_id, status: "qualified", idempotency_key: job.key };
  return [null, { answers: [await client.call("qualify_lead", args), await client.call("qualify_lead", args)] }];
}

async function followed(client, job) {
  const said = [];
  const answer = await client.call("analyze_agent_messages", { agent_id: job.agent_id, sample_size: 20 }, said);
  return [null, { said, ...answer }];
}

async function refused(connect, job, token) {
  const client = await connect(job, token);
  try {
    return await called(client, "list_agents", {});
  } finally {
    await client.close();
  }
}

async function step(name, take) {
  const begun = performance.now();
  let result, seen;
  try {
    [result, seen] = await Promise.race([take(), hangs()]);
  } catch (error) {
    seen = { raised: `${error.name}: ${error.message}` };
  }
  const seconds = Math.round(performance.now() - begun) / 1000;
  console.log(JSON.stringify({ step: name, seconds, ...seen }));
  return result;
}

function hangs() {
  return new Promise((resolve) => setTimeout(() => resolve([null, { hung: true }]), STEP_SECONDS * 1000).unref());
}

async function text(stream) {
  let whole = "";
  for await (const part of stream) whole += part;
  return whole;
}
