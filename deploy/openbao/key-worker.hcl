# The key worker, which runs operations that were asked for: new KEK versions, and the end of old ones. Beside that it does what a
# server node does: it wraps new epoch keys, opens them to wrap subject keys anew, and signs and anchors what it logs.
#
# - "+" is one path segment, and a name can only be limited by its beginning when nothing follows it. So the rules below take
#   any key, and the one on log-* (which wins, being more specific) takes log keys out again: they are read and sign, no more.
# - allowed_parameters: no key can be made exportable, deletable, of another type, or importable and rotatable at once.

path "transit/keys/+/rotate" {
  capabilities = ["update"]
}

path "transit/keys/+/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

path "transit/keys/+/trim" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_available_version" = []
  }
}

path "transit/wrapping_key" {
  capabilities = ["read"]
}

path "transit/keys/+/import" {
  capabilities = ["update"]
  allowed_parameters = {
    "ciphertext"    = []
    "hash_function" = ["SHA256"]
    "type"          = ["aes256-gcm96"]
    "derived"       = [true]
  }
}

path "transit/keys/+/import_version" {
  capabilities = ["update"]
  allowed_parameters = {
    "ciphertext"    = []
    "hash_function" = ["SHA256"]
  }
}

# Reading back is the proof that a version is gone.
path "transit/keys/+" {
  capabilities = ["read"]
}

path "transit/keys/log-*" {
  capabilities = ["read"]
}

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

path "pdvault/data/anchor/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = {
    "options" = []
    "data"    = []
  }
}

# What erasures destroyed: written once ("create" without "update"), and forgotten when no backup is older.
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

path "pdvault/metadata/destroyed/+/+" {
  capabilities = ["delete"]
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

# All but the two above, which win, being more specific.
path "pdvault/metadata/*" {
  capabilities = ["deny"]
}

path "pdvault/config" {
  capabilities = ["deny"]
}

path "sys/audit-hash/*" {
  capabilities = ["deny"]
}
