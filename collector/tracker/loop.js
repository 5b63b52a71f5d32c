// Tells Closed Loop of page views and submitted forms. It stores nothing in the browser and evaluates no text as code.
(function () {
  "use strict";
  var script = document.currentScript || document.querySelector("script[data-key][src*='loop.js']");
  var key = script && script.getAttribute("data-key");
  if (!key) return;

  var address = new URL("v1/events?via=loop.js&writeKey=" + encodeURIComponent(key), script.src).href;
  var consent = script.getAttribute("data-consent") === "denied" ? { analytics: false, marketing: false } : undefined;
  var queue = []; // not yet answered, the oldest first
  var sending = false;
  var pause = 1000; // ms until the next try
  var carried; // the newest event on its way in a request that outlives the page
  var here; // the page that was viewed last
  var referrer = document.referrer;

  // Nothing that goes wrong in here may reach the page.
  function safely(action) {
    return function () {
      try {
        action.apply(null, arguments);
      } catch (error) {
        console.warn("loop.js:", error);
      }
    };
  }

  function randomId() {
    if (crypto.randomUUID) return crypto.randomUUID(); // absent on plain http
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (byte) {
      return (byte + 256).toString(16).slice(1);
    }).join("");
  }

  function add(event) {
    event.event_id = randomId();
    event.occurred_at = new Date().toISOString();
    event.url = location.href;
    event.referrer = referrer;
    event.title = document.title;
    event.consent = consent;
    queue.push(event);
    if (queue.length > 50) queue.shift();
    send();
  }

  function body(events) {
    return JSON.stringify({ sent_at: new Date().toISOString(), batch: events });
  }

  // One request at a time: the first answer brings the visitor's cookie, without which the next is another visitor.
  function send() {
    if (sending || !queue.length) return;
    var events = queue.slice(0, 10);
    var text = body(events);
    var keepalive = text.length < 2e4 && "keepalive" in Request.prototype; // browsers keep at most 64 KB alive
    sending = true;
    if (keepalive) carried = events[events.length - 1];
    // A string is sent as text/plain, which needs no preflight.
    fetch(address, { method: "POST", body: text, credentials: "include", keepalive: keepalive }).then(
      function (answer) {
        settle(events, answer.status < 500 && answer.status !== 408 && answer.status !== 429);
      },
      function () {
        settle(events, false);
      }
    );
  }

  function settle(events, done) {
    sending = false;
    if (done) {
      queue = queue.filter(function (event) {
        return events.indexOf(event) < 0;
      });
      pause = 1000;
      send();
    } else {
      carried = null;
      setTimeout(send, pause * (1 + Math.random()));
      pause = Math.min(2 * pause, 60000);
    }
  }

  // The page may be gone after this. All that has no answer goes along, the oldest first as before: from a request's
  // first event_id the collector makes the same visitor again, and an event that comes twice counts once.
  function flush() {
    var newest = queue[queue.length - 1];
    if (newest && newest !== carried && navigator.sendBeacon(address, body(queue))) carried = newest;
  }

  function page(anyway) {
    var url = location.href.split("#")[0];
    if (url === here && anyway !== true) return;
    if (url !== here) referrer = here || document.referrer;
    here = url;
    add({ type: "pageview" });
  }

  function form(submitted) {
    if (submitted.closest("[data-closedloop-ignore]")) return;
    var fields = {};
    var emails = [];
    Array.from(submitted.elements).forEach(function (input) {
      if (
        !input.name ||
        /^(password|hidden|file|submit|button|reset|image|fieldset)$/.test(input.type) ||
        /cc-|password|one-time/.test(input.getAttribute("autocomplete")) ||
        input.closest("[data-closedloop-ignore]") ||
        (/^(checkbox|radio)$/.test(input.type) && !input.checked)
      )
        return;
      fields[input.name] = String(input.value).slice(0, 500);
      if (input.type === "email") emails.push(input.name);
    });
    add({ type: "form", form: { id: submitted.getAttribute("id"), fields: fields, email_fields: emails } });
  }

  var commands = {
    page: function () {
      page(true);
    },
    identify: function (person) {
      add({ type: "identify", user_id: person.user_id, email: person.email });
    },
    track: function (name, properties) {
      add({ type: "custom", name: name, properties: properties });
    },
    consent: function (given) {
      var denied = consent && consent.analytics === false;
      consent = given;
      if (denied && given.analytics !== false && here) page(true); // the view before was nobody's
    },
  };
  var command = safely(function (name) {
    commands[name].apply(null, Array.prototype.slice.call(arguments, 1));
  });

  var start = safely(function () {
    var early = (window.closedloop && window.closedloop.q) || [];
    window.closedloop = command;
    early.forEach(function (call) {
      command.apply(null, call);
    });
    page();

    var moved = function () {
      setTimeout(safely(page)); // later, when the app has set the new title
    };
    ["pushState", "replaceState"].forEach(function (name) {
      var original = history[name];
      history[name] = function () {
        var result = original.apply(this, arguments);
        moved();
        return result;
      };
    });
    addEventListener("popstate", moved);
    addEventListener("pageshow", safely(function (event) {
      if (event.persisted) page(true); // back, from the browser's memory
    }));
    document.addEventListener("submit", safely(function (event) {
      form(event.target);
    }), true);
    addEventListener("pagehide", safely(flush));
    document.addEventListener("visibilitychange", safely(function () {
      if (document.visibilityState === "hidden") flush();
    }));
  });

  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
