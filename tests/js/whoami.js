// Says whom AWS takes the credentials for: those that the SDK finds by itself, or by the provider named.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import * as providers from "@aws-sdk/credential-providers";

const provider = process.argv[2] ?? "fromNodeProviderChain";
const client = new STSClient({ credentials: providers[provider](), maxAttempts: 1 });
console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
