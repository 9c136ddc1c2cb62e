# Server nodes: encrypt, decrypt, sign, read the log's public key and the KEK's versions, move the logs' anchors on, note what an
# erasure destroys. Nothing else.
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

# Which versions there are and since when, never a key. What follows a further slash is done by "update", not by "read".
path "transit/keys/kek-*" {
  capabilities = ["read"]
}

# The anchors: KV version 2 asks for "create" at a secret's first version and for "update" at the others. The mount demands
# check-and-set (cas_required), and no version can be deleted or brought back: an anchor moves one version at a time.
path "pdvault/data/anchor/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = {
    "options" = []
    "data"    = []
  }
}

# What erasures destroyed: each entry written once ("create" without "update"), and removed by the key worker alone.
path "pdvault/data/destroyed/+/+" {
  capabilities       = ["create", "read"]
  allowed_parameters = {
    "options" = []
    "data"    = []
  }
}

# The path of a list ends in a slash; without it the rule would take the list of all tenants.
path "pdvault/metadata/destroyed/+/" {
  capabilities = ["list"]
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

path "pdvault/delete/*" {
  capabilities = ["deny"]
}

path "pdvault/undelete/*" {
  capabilities = ["deny"]
}

path "pdvault/destroy/*" {
  capabilities = ["deny"]
}

# All but the list above, which wins, being more specific.
path "pdvault/metadata/*" {
  capabilities = ["deny"]
}

path "pdvault/config" {
  capabilities = ["deny"]
}

path "sys/audit-hash/*" {
  capabilities = ["deny"]
}
