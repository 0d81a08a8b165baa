-- $1 tenant_id, then in pairs whether to change and to what: $2 $3 display name, $4 $5 logo, $6 $7 favicon,
-- $8 $9 primary color, $10 $11 secondary color, $12 $13 style sheet, $14 $15 address
update tenancy.branding
set
    display_name = case when $2 then $3 else display_name end,
    logo_url = case when $4 then $5 else logo_url end,
    favicon_url = case when $6 then $7 else favicon_url end,
    primary_color = case when $8 then $9 else primary_color end,
    secondary_color = case when $10 then $11 else secondary_color end,
    style_sheet_url = case when $12 then $13 else style_sheet_url end,
    address = case when $14 then $15 else address end,
    updated_at = now()
where tenant_id = $1
returning display_name, logo_url, favicon_url, primary_color, secondary_color, style_sheet_url, address
