-- Passwords and e-mail addresses of accounts: functions that run as appointd_gate, before a tenant is entered.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema identity to appointd_gate;
set local role appointd_gate;

create function identity.password_of_account(out retry_after integer, out password_hash text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
    subject constant bytea := sha256(convert_to('again ' || account, 'UTF8'));
begin
    -- A person who has a token but not the password must not be able to guess it here.
    retry_after := identity.wait_for('account', subject);
    if retry_after > 0 then
        return;
    end if;
    perform identity.count_attempt('account', subject, 10, interval '15 minutes');
    select a.password_hash into password_hash from identity.accounts as a where a.id = account;
end
$$;

comment on function identity.password_of_account() is
    'The password hash of the account in the context, whose password has to be given again before it is changed. '
    'Attempts are counted: retry_after > 0: too many, try again after so many seconds. identity.password_given takes '
    'that back.';

create function identity.password_given() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'account'
        and f.subject = sha256(convert_to('again ' || app.account()::text, 'UTF8'));
end
$$;

comment on function identity.password_given() is
    'Takes back what identity.password_of_account counted: the password was right.';

create function identity.change_password(kept_session uuid, new_password_hash text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
begin
    update identity.accounts as a set password_hash = new_password_hash, updated_at = now() where a.id = account;
    delete from identity.sessions as s where s.account_id = account and s.id <> kept_session;
    delete from identity.one_time_tokens as t where t.account_id = account and t.purpose = 'reset_password';
end
$$;

comment on function identity.change_password(uuid, text) is
    'Sets a new password for the account in the context, and ends all its sessions but one.';

create function identity.request_password_reset(
    in email text, in token_hash bytea, in lifetime interval, out token_account uuid
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select a.id into token_account from identity.accounts as a where a.email = request_password_reset.email;
    if token_account is null then
        return;
    end if;
    delete from identity.one_time_tokens as t where t.account_id = token_account and t.expires_at < now();
    -- Limits mails to a mailbox that others request.
    if (
        select count(*)
        from identity.one_time_tokens as t
        where t.account_id = token_account and t.purpose = 'reset_password' and t.created_at > now() - interval '1 hour'
    ) >= 3 then
        token_account := null;
        return;
    end if;
    insert into identity.one_time_tokens (account_id, hash, purpose, email, expires_at)
    values (token_account, token_hash, 'reset_password', email, now() + lifetime);
end
$$;

comment on function identity.request_password_reset(text, bytea, interval) is
    'Stores a token to set a new password for the account with this e-mail address; null if none has it, or if '
    'three tokens were sent within the hour.';

create function identity.token_email(account_id uuid, token_hash bytea) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select t.email
        from identity.one_time_tokens as t
        where t.account_id = token_email.account_id and t.hash = token_hash and t.expires_at > now()
    );
end
$$;

comment on function identity.token_email(uuid, bytea) is
    'The address that a one-time token was sent to; null if the token is not valid.';

create function identity.end_unproved(account uuid, kept_session uuid) returns void
language plpgsql volatile
as $$
declare
    entered constant uuid := app.tenant();
    signed_in constant uuid := app.account();
    membership record;
begin
    delete from identity.second_factors as f where f.account_id = account;
    delete from identity.sessions as s where s.account_id = account and s.id is distinct from kept_session;
    delete from identity.one_time_tokens as t where t.account_id = account;
    perform app.set_account(account);
    for membership in select m.tenant_id from tenancy.members as m where m.account_id = account loop
        perform tenancy.end_handed_out(membership.tenant_id, account);
    end loop;
    perform app.set_account(signed_in);
    perform app.set_tenant(entered);
end
$$;

comment on function identity.end_unproved(uuid, uuid) is
    'Called on the first proof that a person reads mail at the address of an account. Ends what was set up before, '
    'possibly by another person: second factor, sessions (but one), tokens sent, and what the account handed out in '
    'its organizations.';

create function identity.reset_password(
    account_id uuid, token_hash bytea, new_password_hash text, address inet
) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    sent_to text;
begin
    -- Concurrent proofs wait for each other here.
    perform from identity.accounts as a where a.id = reset_password.account_id for no key update;
    delete from identity.one_time_tokens as t
    where
        t.account_id = reset_password.account_id
        and t.hash = token_hash
        and t.purpose = 'reset_password'
        and t.expires_at > now()
    returning t.email into sent_to;
    if sent_to is null then
        return false;
    end if;
    if exists (
        select
        from identity.accounts as a
        where a.id = reset_password.account_id and a.email = sent_to and a.email_verified_at is null
    ) then
        perform identity.end_unproved(reset_password.account_id, null);
    end if;
    update identity.accounts as a
    set
        password_hash = new_password_hash,
        updated_at = now(),
        email_verified_at = case
            when a.email = sent_to then coalesce(a.email_verified_at, now())
            else a.email_verified_at
        end
    where a.id = reset_password.account_id;
    delete from identity.sessions as s where s.account_id = reset_password.account_id;
    delete from identity.one_time_tokens as t
    where t.account_id = reset_password.account_id and t.purpose = 'reset_password';
    -- Ends a wait that attempts of others caused.
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'account_and_address'
        and f.subject = sha256(sha256(convert_to(sent_to, 'UTF8')) || identity.subscriber(address));
    delete from identity.sign_in_failures as f
    where f.bucket = 'account' and f.subject = sha256(convert_to(sent_to, 'UTF8'));
    return true;
end
$$;

comment on function identity.reset_password(uuid, bytea, text, inet) is
    'Sets a new password by a token sent by e-mail, which is used up, and ends every session of the account. If its '
    'address was not verified before, also ends all that was set up (identity.end_unproved). False if the token is '
    'not valid.';

create function identity.verify_email(kept_session uuid, token_hash bytea) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
    sent_to text;
    verified boolean;
begin
    select a.email_verified_at is not null into verified
    from identity.accounts as a
    where a.id = account
    for no key update;
    delete from identity.one_time_tokens as t
    where t.account_id = account and t.hash = token_hash and t.purpose = 'verify_email' and t.expires_at > now()
    returning t.email into sent_to;
    update identity.accounts as a
    set email_verified_at = coalesce(a.email_verified_at, now())
    where a.id = account and a.email = sent_to;
    if not found then
        return false;
    end if;
    if not verified then
        perform identity.end_unproved(account, kept_session);
    end if;
    return true;
end
$$;

comment on function identity.verify_email(uuid, bytea) is
    'Verifies the address of the account in the context by a token sent to it, which is used up. The first time it '
    'ends what was set up before (identity.end_unproved), except the session that asks. Requires both session and '
    'token: a link opened by the owner of the address must not verify the account of another person who registered '
    'it. False if the token is not valid.';

grant execute on function
    identity.password_of_account(),
    identity.password_given(),
    identity.change_password(uuid, text),
    identity.request_password_reset(text, bytea, interval),
    identity.token_email(uuid, bytea),
    identity.reset_password(uuid, bytea, text, inet),
    identity.verify_email(uuid, bytea)
to appointd_door;
reset role;
revoke create on schema identity from appointd_gate;
