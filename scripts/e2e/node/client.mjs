// Plays cases with the official openai client: one JSON object a line on standard input, what the client saw of it on
// standard output. `seen.py` says what the fields mean; times start before the client's call.
import { createInterface } from 'node:readline';
import OpenAI, { APIConnectionTimeoutError, APIError } from 'openai';

const clients = new Map();

/** One client per server, so that connections are kept as in an application. No retries: one request, one record. */
function clientOf(baseUrl) {
  let client = clients.get(baseUrl);
  if (client === undefined) {
    client = new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: 'none', maxRetries: 0 });
    clients.set(baseUrl, client);
  }
  return client;
}

/** The form that `seen.py` reads, with nothing seen yet. */
function nothingSeen() {
  return {
    status: null,
    request_id: null,
    ttft_ms: null,
    e2e_ms: null,
    content_chunks: 0,
    content: '',
    usage_chunks: 0,
    finish_reason: null,
    model: null,
    prompt_tokens: null,
    completion_tokens: null,
    error_type: null,
    left: false,
  };
}

function takeResponse(response, seen) {
  seen.status = response.status;
  seen.request_id = response.headers.get('x-request-id');
}

function takeUsage(usage, seen) {
  seen.prompt_tokens = usage.prompt_tokens;
  seen.completion_tokens = usage.completion_tokens;
}

function takeChoice(choice, seen, started) {
  const content = choice.delta === undefined ? choice.text : choice.delta.content;
  if (content) {
    seen.ttft_ms ??= performance.now() - started;
    seen.content_chunks += 1;
    seen.content += content;
  }
  if (choice.finish_reason && choice.index === 0) seen.finish_reason = choice.finish_reason;
}

/** Reads a stream to its end, or to the point where the case leaves it. */
async function readStream(stream, question, seen, started) {
  for await (const chunk of stream) {
    seen.model = chunk.model;
    if (chunk.usage) {
      takeUsage(chunk.usage, seen);
      if (chunk.choices.length === 0) seen.usage_chunks += 1;
    }
    for (const choice of chunk.choices) takeChoice(choice, seen, started);
    if (question.abort_after_chunks !== null && seen.content_chunks >= question.abort_after_chunks) {
      seen.left = true;
      stream.controller.abort();
      return;
    }
  }
}

function readAnswer(answer, seen) {
  const [choice] = answer.choices;
  seen.model = answer.model;
  seen.content = (choice.message === undefined ? choice.text : choice.message.content) ?? '';
  seen.finish_reason = choice.finish_reason;
  takeUsage(answer.usage, seen);
}

/** Sends text that the openai client would not let us send. */
async function sendRaw(url, question, headers, seen) {
  const body = question.method === 'GET' ? undefined : question.text;
  const response = await fetch(url, {
    method: question.method,
    headers: { ...headers, 'content-type': 'application/json' },
    body,
  });
  takeResponse(response, seen);
  await response.arrayBuffer();
}

async function send(question, baseUrl, seen, started) {
  const client = clientOf(baseUrl);
  const headers = { 'x-request-id': question.id };
  if (question.kind === 'raw') {
    await sendRaw(`${baseUrl}${question.path}`, question, headers, seen);
    return;
  }
  if (question.kind === 'models') {
    const { data, response } = await client.models.list({ headers }).withResponse();
    takeResponse(response, seen);
    seen.model = data.data[0].id;
    return;
  }
  const endpoint = question.kind === 'chat' ? client.chat.completions : client.completions;
  const options = { headers };
  if (question.give_up_ms !== null) options.timeout = question.give_up_ms;
  const { data, response } = await endpoint.create(question.body, options).withResponse();
  takeResponse(response, seen);
  if (question.body.stream) await readStream(data, question, seen, started);
  else readAnswer(data, seen);
}

async function play(question, baseUrl) {
  const seen = nothingSeen();
  const started = performance.now();
  try {
    await send(question, baseUrl, seen, started);
  } catch (error) {
    if (error instanceof APIConnectionTimeoutError && question.give_up_ms !== null) {
      seen.left = true;
    } else if (error instanceof APIError && error.status !== undefined) {
      seen.status = error.status;
      seen.request_id = error.headers.get('x-request-id');
      seen.error_type = error.type ?? null;
    } else {
      return { failure: String(error?.stack ?? error) };
    }
  }
  seen.e2e_ms = performance.now() - started;
  return seen;
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const seen = await play(question, question.base_url ?? process.argv[2]);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}
process.exit(0);
