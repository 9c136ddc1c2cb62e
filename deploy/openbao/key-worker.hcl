# The key worker, which runs for an approved operation only: new KEK versions, and the end of old ones. Never a plaintext.
#
# - "+" is one path segment, and a name can only be limited by its beginning when nothing follows it. So the rules below take
#   any key, and the deny on log-* (which wins, being more specific) takes log keys out again: a log key is never rotated.

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

# Reading back is the proof that a version is gone.
path "transit/keys/+" {
  capabilities = ["read"]
}

path "transit/keys/log-*" {
  capabilities = ["deny"]
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
