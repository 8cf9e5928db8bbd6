// The running server, asked as somebody who signed in.
import { buildClientSchema, getIntrospectionQuery } from "graphql";

export class Server {
  constructor(url, token) {
    this.url = url;
    this.token = token;
  }

  static async signIn(url, email, password) {
    const server = new Server(url);
    const login = "mutation($email: String!, $password: String!) { login(input: {email: $email, password: $password}) { accessToken } }";
    const { data, errors } = await server.ask(login, { email, password });
    if (!data?.login?.accessToken) throw new Error(`${email} cannot sign in: ${JSON.stringify(errors)}`);
    return new Server(url, data.login.accessToken);
  }

  /** The whole answer. An empty bucket is waited for, as a client would. */
  async ask(query, variables = {}) {
    for (;;) {
      const answer = await fetch(this.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json",
          ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        },
        body: JSON.stringify({ query, variables }),
      });
      const body = await answer.json();
      const wait = body.errors?.[0]?.extensions?.retryAfterMs;
      if (wait === undefined) return body;
      await new Promise((later) => setTimeout(later, wait));
    }
  }

  /** The data of an answer without errors. */
  async read(query, variables) {
    const { data, errors } = await this.ask(query, variables);
    if (errors) throw new Error(`${JSON.stringify(errors)}\n${query}`);
    return data;
  }

  async schema() {
    return buildClientSchema(await this.read(getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true })));
  }
}
