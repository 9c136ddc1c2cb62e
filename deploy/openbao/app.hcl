# Server nodes: encrypt, decrypt, sign, read the log's public key. Nothing else.
#
# - "update" without "create": Transit would create a missing key for whoever may create.
# - allowed_parameters: only batches, so no caller can ask for another key type, a nonce or convergent encryption.
# - "*" also matches what follows a further slash. Below encrypt/, decrypt/ and sign/ that is at most a hash algorithm.

path "transit/encrypt/kek-*" {
  capabilities       = ["update"]
  allowed_parameters = { "batch_input" = [] }
}

path "transit/decrypt/kek-*" {
  capabilities       = ["update"]
  allowed_parameters = { "batch_input" = [] }
}

path "transit/sign/log-*" {
  capabilities       = ["update"]
  allowed_parameters = { "input" = [] }
}

path "transit/keys/log-*" {
  capabilities = ["read"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

# Denied by default already. Said again because a deny wins over whatever other policy the token may get one day.
path "transit/export/*" {
  capabilities = ["deny"]
}

path "transit/byok-export/*" {
  capabilities = ["deny"]
}

path "transit/backup/*" {
  capabilities = ["deny"]
}

path "transit/restore*" {
  capabilities = ["deny"]
}

path "sys/audit-hash/*" {
  capabilities = ["deny"]
}
