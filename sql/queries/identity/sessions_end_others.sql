-- $1 account_id, $2 session to keep
delete from identity.sessions
where account_id = $1 and id <> $2
