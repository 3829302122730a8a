"""A panel's tray without a panel: programs register with it, and a test reads and clicks their menus.

Speaks lines: `menu` answers with the items, `click LABEL` clicks one; each answer is one line of JSON.
Nothing is drawn; the protocol is the one that desktops use (StatusNotifierItem and com.canonical.dbusmenu).
"""

import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
PROPERTIES = "org.freedesktop.DBus.Properties"


class Watcher(dbus.service.Object):
    """Knows the item that registered last."""

    def __init__(self, bus):
        self.bus = bus
        self.item = None
        super().__init__(dbus.service.BusName(WATCHER, bus), "/StatusNotifierWatcher")

    @dbus.service.method(WATCHER, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, service, sender):
        # A path means "at my own name".
        self.item = (sender, service) if service.startswith("/") else (service, "/StatusNotifierItem")

    @dbus.service.method(WATCHER, in_signature="s")
    def RegisterStatusNotifierHost(self, service):
        pass

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    @dbus.service.method(PROPERTIES, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        return {
            "IsStatusNotifierHostRegistered": dbus.Boolean(True),
            "ProtocolVersion": dbus.Int32(0),
            "RegisteredStatusNotifierItems": dbus.Array([], signature="s"),
        }

    def menu(self):
        """The items' labels and whether they can be clicked, and the picture in the tray."""
        name, path = self.item
        properties = dbus.Interface(self.bus.get_object(name, path), PROPERTIES)
        menu = dbus.Interface(self.bus.get_object(name, properties.Get(ITEM, "Menu")), MENU)
        _, (_, _, children) = menu.GetLayout(0, -1, dbus.Array([], signature="s"))
        items = [
            {"id": int(id), "label": str(found.get("label", "")), "enabled": bool(found.get("enabled", True))}
            for id, found, _ in children
            if found.get("type") != "separator"
        ]
        return menu, {"icon": str(properties.Get(ITEM, "IconName")), "items": items}

    def answer(self, line):
        """One line in, one value out."""
        if self.item is None:
            return None
        menu, shown = self.menu()
        word, _, label = line.partition(" ")
        if word == "menu":
            return shown
        found = [item for item in shown["items"] if item["label"] == label and item["enabled"]]
        if word != "click" or not found:
            return {"error": f"nothing to do for {line!r} in {shown}"}
        menu.Event(found[0]["id"], "clicked", dbus.String("", variant_level=1), dbus.UInt32(0))
        return {"clicked": label}


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    watcher = Watcher(dbus.SessionBus())
    loop = GLib.MainLoop()

    def on_line(*_):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        try:
            answer = watcher.answer(line.rstrip("\n"))
        except dbus.DBusException as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)
        return True

    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, on_line)
    print(json.dumps("ready"), flush=True)
    loop.run()


main()
