"""Reading Ansible inventories (pure but for the files): INI, YAML, and the JSON of ``ansible-inventory --list``.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html. Ansible's own parser comes with all of
ansible-core, under the GPL, and no library reads inventories without it.
"""
