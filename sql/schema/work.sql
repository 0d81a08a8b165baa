-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- Tasks of members.
create schema work authorization appointd_owner;

grant usage on schema work to appointd_api;
grant usage on schema work to appointd_auditor;
grant usage on schema work to appointd_gate;


-- The steps of a task.
create table work.checklist_items (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7: the order of the steps.
    id uuid not null,
    -- The task.
    task_id uuid not null,
    -- What the step is, 1 to 200 characters.
    text text not null,
    -- Whether it is done.
    done boolean not null default false,
    -- When it was made.
    created_at timestamptz not null default now(),
    constraint checklist_items_pkey primary key (tenant_id, id),
    constraint checklist_items_task_fkey foreign key (tenant_id, task_id) references work.tasks(tenant_id, id) on delete
    cascade,
    constraint checklist_items_text_length check (length(text) >= 1 and length(text) <= 200)
);

create index checklist_items_task_idx on work.checklist_items using btree (tenant_id, task_id, id);

alter table work.checklist_items enable row level security, force row level security;

create policy plan_feature on work.checklist_items as restrictive for all to appointd_api
    using (select app.has_feature((select app.tenant()), 'tasks') as has_feature);
create policy tenant_floor on work.checklist_items as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on work.checklist_items as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on work.checklist_items as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on work.checklist_items as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on work.checklist_items as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on work.checklist_items as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on work.checklist_items to appointd_api;
grant insert (id, task_id, text, done) on work.checklist_items to appointd_api;
grant update (text, done) on work.checklist_items to appointd_api;

create trigger record_change after insert or delete or update on work.checklist_items
for each row execute function operations.record_change();
create trigger record_event after insert or delete or update on work.checklist_items
for each row execute function messaging.record_event('checklist_item', 'viewer', '{}');


-- What members say about a task.
create table work.comments (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, so that the order of ids is the order of creation.
    id uuid not null,
    -- The task.
    task_id uuid not null,
    -- What was said, 1 to 5,000 characters.
    text text not null,
    -- The accounts of members who are mentioned, at most 20. They stay when a member leaves: it was said to them.
    mentions uuid[] not null default '{}'::uuid[],
    -- The account or API key that said it. Filled from the context.
    author_id uuid default coalesce(app.account(), app.api_key()),
    -- When.
    created_at timestamptz not null default now(),
    constraint comments_pkey primary key (tenant_id, id),
    constraint comments_task_fkey foreign key (tenant_id, task_id) references work.tasks(tenant_id, id) on delete
    cascade,
    constraint comments_mentions check (cardinality(mentions) <= 20),
    constraint comments_text_length check (length(text) >= 1 and length(text) <= 5000)
);

create index comments_task_idx on work.comments using btree (tenant_id, task_id, id);

alter table work.comments enable row level security, force row level security;

create policy plan_feature on work.comments as restrictive for all to appointd_api
    using (select app.has_feature((select app.tenant()), 'tasks') as has_feature);
create policy tenant_floor on work.comments as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy author_delete on work.comments as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and ((select app.role()) = any ('{staff,manager,admin,owner}'))
        and author_id = (select app.account())
    );
create policy manager_delete on work.comments as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on work.comments as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_insert on work.comments as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on work.comments as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on work.comments to appointd_api;
grant insert (id, task_id, text, mentions) on work.comments to appointd_api;

create trigger record_change after insert or delete or update on work.comments
for each row execute function operations.record_change();
create trigger record_event after insert or delete on work.comments
for each row execute function messaging.record_event('task_comment', 'viewer', '{}');


-- What tasks are about. A column with a foreign key for each kind of object, so that a link leads to an object of the
-- organization, and goes when the object goes.
create table work.task_links (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The task.
    task_id uuid not null,
    -- The id of the object, of every kind.
    record_id uuid not null generated always as (coalesce(contact_id, appointment_id, service_id, provider_id)) stored,
    -- contact, appointment, service or provider.
    kind text not null generated always as (
case
    when contact_id is not null then 'contact'
    when appointment_id is not null then 'appointment'
    when service_id is not null then 'service'
    else 'provider'
end) stored,
    -- The contact it is about; null: another kind.
    contact_id uuid,
    -- The appointment it is about; null: another kind.
    appointment_id uuid,
    -- The service it is about; null: another kind.
    service_id uuid,
    -- The provider it is about; null: another kind.
    provider_id uuid,
    constraint task_links_pkey primary key (tenant_id, task_id, record_id),
    constraint task_links_appointment_fkey foreign key (
        tenant_id, appointment_id
    ) references scheduling.appointments(tenant_id, id) on delete cascade,
    constraint task_links_contact_fkey foreign key (
        tenant_id, contact_id
    ) references crm.contacts(tenant_id, id) on delete cascade,
    constraint task_links_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint task_links_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id) on delete cascade,
    constraint task_links_task_fkey foreign key (tenant_id, task_id) references work.tasks(tenant_id, id) on delete
    cascade,
    constraint task_links_one check (num_nonnulls(contact_id, appointment_id, service_id, provider_id) = 1)
);

create index task_links_appointment_idx on work.task_links using btree (tenant_id, appointment_id)
where appointment_id is not null;
create index task_links_contact_idx on work.task_links using btree (tenant_id, contact_id) where contact_id is not null;
create index task_links_provider_idx on work.task_links using btree (tenant_id, provider_id)
where provider_id is not null;
create index task_links_record_idx on work.task_links using btree (tenant_id, record_id, task_id);
create index task_links_service_idx on work.task_links using btree (tenant_id, service_id) where service_id is not null;

alter table work.task_links enable row level security, force row level security;

create policy plan_feature on work.task_links as restrictive for all to appointd_api
    using (select app.has_feature((select app.tenant()), 'tasks') as has_feature);
create policy tenant_floor on work.task_links as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on work.task_links as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on work.task_links as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on work.task_links as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on work.task_links as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on work.task_links to appointd_api;
grant insert (task_id, contact_id, appointment_id, service_id, provider_id) on work.task_links to appointd_api;

create trigger record_change after insert or delete or update on work.task_links
for each row execute function operations.record_change();
create trigger touch_linked after delete on work.task_links
referencing old table as gone for each statement execute function work.touch_linked();


-- Tags of tasks. A table, because under policies no index serves the comparison of arrays.
create table work.task_tags (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The task.
    task_id uuid not null,
    -- The tag, 1 to 50 characters.
    tag text not null,
    constraint task_tags_pkey primary key (tenant_id, task_id, tag),
    constraint task_tags_task_fkey foreign key (tenant_id, task_id) references work.tasks(tenant_id, id) on delete
    cascade,
    constraint task_tags_length check (length(tag) >= 1 and length(tag) <= 50)
);

create index task_tags_tag_idx on work.task_tags using btree (tenant_id, tag, task_id);

alter table work.task_tags enable row level security, force row level security;

create policy plan_feature on work.task_tags as restrictive for all to appointd_api
    using (select app.has_feature((select app.tenant()), 'tasks') as has_feature);
create policy tenant_floor on work.task_tags as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on work.task_tags as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on work.task_tags as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on work.task_tags as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on work.task_tags as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on work.task_tags to appointd_api;
grant insert (task_id, tag) on work.task_tags to appointd_api;

create trigger record_change after insert or delete or update on work.task_tags
for each row execute function operations.record_change();


-- What members have to do.
create table work.tasks (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, so that the order of ids is the order of creation.
    id uuid not null,
    -- What is to be done, 1 to 200 characters.
    title text not null,
    -- More about it, 1 to 10,000 characters; null: nothing.
    description text,
    -- todo, in_progress or done: the column of the board.
    status text not null default 'todo',
    -- low, medium or high.
    priority text not null default 'medium',
    -- The member who has to do it; null: no one, or the member has left.
    assignee_id uuid,
    -- The last day on which it is in time, in the time zone of the organization; null: none.
    due_on date,
    -- When its status became done; null: it is not done.
    completed_at timestamptz,
    -- Order in its column of the board, then id. A task that goes to the end has the instant in microseconds since
    -- 1970, or a greater number; one that is moved between two others has a number between theirs. Moves of one
    -- organization wait for each other (sql/queries/work/board_lock.sql), so that no two go by the same neighbours.
    board_position bigint not null,
    -- daily, weekly or monthly: how often it is to be done again; null: once.
    repeat_frequency text,
    -- Interval of the repetition in days, weeks or months, 1 to 52.
    repeat_every smallint,
    -- due: the next one is due an interval after this was due; completion: after the day on which it was done.
    repeat_from text,
    -- Day of the month on which the first task was due: after the 28th of February the next one is due on the 31st
    -- again.
    repeat_day smallint,
    -- The task after whose completion this one was made; null: none.
    follows_id uuid,
    -- The account or API key that made it; null: the system. Filled from the context.
    created_by uuid default coalesce(app.account(), app.api_key()),
    -- When it was made.
    created_at timestamptz not null default now(),
    -- When the task, its tags, its links or its checklist last changed. Its place on the board does not count.
    updated_at timestamptz not null default now(),
    constraint tasks_pkey primary key (tenant_id, id),
    -- After the completion of a task one next task is made.
    constraint tasks_follows_key unique (tenant_id, follows_id),
    constraint tasks_assignee_fkey foreign key (
        tenant_id, assignee_id
    ) references tenancy.members(tenant_id, account_id) on delete set null (assignee_id),
    constraint tasks_follows_fkey foreign key (
        tenant_id, follows_id
    ) references work.tasks(tenant_id, id) on delete set null (follows_id) deferrable initially deferred,
    constraint tasks_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint tasks_board_position check (board_position > 0 and board_position < '36028797018963968'::bigint),
    constraint tasks_completed check ((status = 'done') = (completed_at is not null)),
    constraint tasks_description_length check (length(description) >= 1 and length(description) <= 10000),
    constraint tasks_priority check (priority = any (array['low', 'medium', 'high'])),
    constraint tasks_repeat check (
        num_nonnulls(repeat_frequency, repeat_every, repeat_from, repeat_day) = any (array[0, 4])
    ),
    constraint tasks_repeat_day check (repeat_day >= 1 and repeat_day <= 31),
    constraint tasks_repeat_due check (repeat_frequency is null or due_on is not null),
    constraint tasks_repeat_every check (repeat_every >= 1 and repeat_every <= 52),
    constraint tasks_repeat_frequency check (repeat_frequency = any (array['daily', 'weekly', 'monthly'])),
    constraint tasks_repeat_from check (repeat_from = any (array['due', 'completion'])),
    constraint tasks_status check (status = any (array['todo', 'in_progress', 'done'])),
    constraint tasks_title_length check (length(title) >= 1 and length(title) <= 200)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index tasks_assignee_idx on work.tasks using btree (tenant_id, assignee_id, id);
create index tasks_board_idx on work.tasks using btree (tenant_id, status, board_position, id);
create index tasks_due_idx on work.tasks using btree (tenant_id, due_on) where due_on is not null;
create index tasks_updated_idx on work.tasks using btree (tenant_id, updated_at);

alter table work.tasks enable row level security, force row level security;

create policy plan_feature on work.tasks as restrictive for all to appointd_api
    using (select app.has_feature((select app.tenant()), 'tasks') as has_feature);
create policy tenant_floor on work.tasks as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on work.tasks as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on work.tasks as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on work.tasks as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on work.tasks as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on work.tasks as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on work.tasks to appointd_api;
grant insert (
    id, title, description, status, priority, assignee_id, due_on, completed_at, board_position, repeat_frequency,
    repeat_every, repeat_from, repeat_day, follows_id
) on work.tasks to appointd_api;
grant update (
    title, description, status, priority, assignee_id, due_on, completed_at, board_position, repeat_frequency,
    repeat_every, repeat_from, repeat_day, updated_at
) on work.tasks to appointd_api;

create trigger keep_updated_at before update of tenant_id, id, title, description, status, priority, assignee_id,
due_on, completed_at, board_position, repeat_frequency, repeat_every, repeat_from, repeat_day, follows_id, created_by,
created_at on work.tasks
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on work.tasks
for each row execute function operations.record_change();
create trigger record_deletion after delete on work.tasks
for each row execute function operations.record_deletion('task');
create trigger record_event after insert or delete or update on work.tasks
for each row execute function messaging.record_event('task', 'viewer', '{board_position}');
create trigger record_event_assigned_insert after insert on work.tasks
for each row when (new.assignee_id is not null) execute function work.record_assigned();
create trigger record_event_assigned_update after update of assignee_id on work.tasks
for each row
when (
    new.assignee_id is not null and new.assignee_id is distinct from old.assignee_id
) execute function work.record_assigned();
create trigger touch before update of assignee_id, follows_id on work.tasks
for each row
when (
    new.assignee_id is distinct from old.assignee_id or new.follows_id is distinct from old.follows_id
) execute function app.touch();


-- Trigger, after a task was assigned to a member who did not do it themselves: writes the event task.assigned.
create function work.record_assigned()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Those who assign a task to themselves know it.
    if new.assignee_id = app.account() then
        return null;
    end if;
    perform messaging.emit(
        'task.assigned', 'viewer', new.tenant_id, new.id, to_jsonb(new) - array['tenant_id', 'board_position'],
        case when tg_op = 'UPDATE' then jsonb_build_object('assignee_id', old.assignee_id) end
    );
    return null;
end
$$;

alter function work.record_assigned() owner to appointd_gate;
grant execute on function work.record_assigned() to appointd_owner;


-- Trigger, after links of tasks were deleted, also because what they led to was deleted: sets updated_at of the tasks.
create function work.touch_linked()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update work.tasks as t
    set updated_at = now()
    from gone as g
    where t.tenant_id = g.tenant_id and t.id = g.task_id and t.updated_at < now();
    return null;
end
$$;
